"""Other programs read the tables: readers of Delta as they are, readers of Parquet by the list of files.

Our own answer is only one of those compared: whoever disagrees with another fails the test.
"""

import contextlib
import io
import json
import os
import subprocess

import chdb
import deltalake
import duckdb
import polars
import pyarrow as arrow
import pyarrow.compute as compute
import pyarrow.dataset as dataset
import pyarrow.parquet as parquet
import pytest
from program import hubscope, surroundings, until
from serve import Serve, direct
from urllib.request import Request

EVENTS_A_FLUSH = 40
FLUSHES = 5
KEY = [("collector", "ascending"), ("position", "ascending")]


def launch(number: int) -> dict:
    return {
        "timestamp": f"2024-{1 + number % 12:02}-{1 + number % 28:02}T12:{number % 60:02}:00.{number:06}Z",
        "schema": "binderhub.jupyter.org/launch",
        "version": 1,
        "provider": "GitHub",
        "spec": f"owner/Zürich-{number}/{'x' * (number % 7)}",
        "status": "success" if number % 3 else "failure",
    }


def action(number: int) -> dict:
    return {
        "timestamp": "1999-12-31T23:59:59Z" if number % 5 else "2024-02-29T00:00:00Z",
        "__schema__": "https://hub.jupyter.org/no/such/schema",
        "number": number,
        "text": "quotes \" and 'more', \u2028 and \U0001f600",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose parts were flushed, merged and flushed again; files of replaced parts still lie in it."""
    data = tmp_path_factory.mktemp("data")
    settings = {
        "HUBSCOPE_ARCHIVE__ENABLED": "false",
        "HUBSCOPE_STORE__COMPACT_PARTS": "2",
        "HUBSCOPE_STORE__FLUSH_INTERVAL": "100 ms",
        "HUBSCOPE_STORE__COMMIT_INTERVAL": "10 ms",
    }
    serve = Serve(data, **settings)
    try:
        for flush in range(FLUSHES):
            before = parts_on_disk(data)
            numbers = range(flush * EVENTS_A_FLUSH, (flush + 1) * EVENTS_A_FLUSH)
            events = [event(number) for number in numbers for event in (launch, action)]
            body = json.dumps(events).encode()
            url = f"http://{serve.place}/api/v1/events"
            request = Request(url, body, {"Content-Type": "application/json"})
            with direct.open(request) as answer:
                assert answer.status == 200
            until(lambda: parts_on_disk(data) - before, 20, "the events are written")
        until(lambda: len(files_of(data, "events")) < FLUSHES, 20, "parts are merged")
        serve.stop()
    finally:
        serve.end()
    return data


def parts_on_disk(folder) -> set[str]:
    return {entry.name for entry in (folder / "tables" / "events").glob("*.parquet")}


def ours(folder, *words) -> bytes:
    command = [hubscope(), *words, "--data", folder]
    return subprocess.run(command, check=True, capture_output=True, env=surroundings()).stdout


def files_of(folder, table: str) -> list[str]:
    return ours(folder, "inspect", "table", table, "--files").decode().splitlines()


def by_ours(folder, table):
    return parquet.read_table(io.BytesIO(ours(folder, "query", "--format", "parquet", f"SELECT * FROM {table}")))


def by_deltalake(folder, table):
    return arrow.table(deltalake.DeltaTable(folder / "tables" / table).to_pyarrow_table())


def by_polars(folder, table):
    return polars.read_delta(str(folder / "tables" / table)).to_arrow()


def by_chdb(folder, table):
    # It reads nothing outside the folder in which it stands.
    with contextlib.chdir(folder):
        answer = chdb.query(f"SELECT * FROM deltaLakeLocal('{folder / 'tables' / table}')", "Arrow")
    return arrow.ipc.open_file(io.BytesIO(answer.bytes())).read_all()


def by_duckdb(folder, table):
    return duckdb.read_parquet(files_of(folder, table), union_by_name=True).to_arrow_table()


def by_pyarrow(folder, table):
    return dataset.dataset(files_of(folder, table)).to_table()


READERS = [by_deltalake, by_polars, by_chdb, by_duckdb, by_pyarrow]


def plain(rows) -> list[dict]:
    """The rows, in order, in types that all readers share: times as microseconds, texts as texts."""
    columns = {}
    for name in sorted(rows.column_names):
        column = rows[name].combine_chunks() if isinstance(rows[name], arrow.ChunkedArray) else rows[name]
        if arrow.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if arrow.types.is_timestamp(column.type):
            column = column.cast(arrow.timestamp("us", column.type.tz)).cast(arrow.int64())
        elif arrow.types.is_binary(column.type) or arrow.types.is_large_binary(column.type):
            column = column.cast(arrow.string())
        elif arrow.types.is_large_string(column.type) or arrow.types.is_string_view(column.type):
            column = column.cast(arrow.string())
        elif arrow.types.is_uint8(column.type):
            column = compute.not_equal(column, 0)
        columns[name] = column
    return arrow.table(columns).sort_by(KEY).to_pylist()


@pytest.mark.parametrize("table", ["events", "quarantine"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__.removeprefix("by_"))
def test_every_reader_sees_the_same_rows(folder, reader, table):
    expected = plain(by_ours(folder, table))
    assert len(expected) == EVENTS_A_FLUSH * FLUSHES
    assert [row["position"] % 2 for row in expected] == [int(table == "quarantine")] * len(expected)
    found = plain(reader(folder, table))
    assert found == expected


def test_files_of_replaced_parts_are_there_and_nobody_reads_them(folder):
    """Without it, the test above would not show that readers follow the log."""
    there = parts_on_disk(folder)
    live = {os.path.basename(path) for path in files_of(folder, "events")}
    assert live < there, "compaction replaced parts, and their files wait for readers elsewhere"


def test_the_texts_are_what_was_sent(folder):
    rows = plain(by_deltalake(folder, "events"))
    sent = [json.dumps(launch(number)) for number in range(EVENTS_A_FLUSH * FLUSHES)]
    assert [row["text"] for row in rows] == sent
