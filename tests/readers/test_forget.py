"""Somebody is forgotten: every file that is left is decoded and searched, by programs other than ours.

What is searched for is the name in every form in which emitters write it; the others' events, which hold names that look
alike, must all be there still.
"""

import json
import subprocess
import urllib.parse
from datetime import UTC, datetime
from urllib.request import Request

import pyarrow
import pyarrow.parquet as parquet
import pytest
from program import hubscope, surroundings
from serve import Serve, direct

NAME = "zoë.o'brien"
OTHERS = ["zoë", "o'brien", "zoë.o'brien-2", "jo", "zoë.o"]
ACTION = "https://schema.jupyter.org/jupyterhub/events/server-action"


def forms(name: str) -> list[bytes]:
    """Raw, JSON-escaped, URL-encoded, as Python shows it; each in both cases of hexadecimal digits."""
    escaped = json.dumps(name)[1:-1]
    quoted = [urllib.parse.quote(name, safe=safe) for safe in ("", "'", "'@")]
    shown = [repr(name)[1:-1], ascii(name)[1:-1], repr(name).replace("'", "\\'")[2:-2]]
    texts = {name, escaped, *quoted, *shown, json.dumps(ascii(name))[1:-1]}
    texts |= {text.replace("%C3%AB", "%c3%ab") for text in texts} | {text.replace("\\u00eb", "\\u00EB") for text in texts}
    return [text.encode() for text in texts if text]


def action(user: str, number: int, server: str = "") -> dict:
    time = f"2026-03-05T09:{number % 60:02}:00Z"
    return {
        "__schema__": ACTION,
        "__schema_version__": 1,
        "__timestamp__": time,
        "action": "start" if number % 2 else "stop",
        "username": user,
        "servername": server,
    }


def aside(number: int, text: str) -> dict:
    return {"__schema__": "no/such", "__timestamp__": "2026-03-05T09:00:00Z", "number": number, "text": text}


def texts_about(name: str) -> list[dict]:
    return [
        aside(1, name),
        aside(2, f"/user/{urllib.parse.quote(name)}/lab"),
        aside(3, repr({"username": name})),
        aside(4, ascii({"username": name})),
        aside(5, json.dumps({"username": name})),
        action(name, 6) | {"action": "fly"},
        # The complaint about it quotes the name.
        aside(7, "") | {"__schema__": name},
        {
            "__schema__": "https://events.jupyter.org/jupyter_server/contents_service/v1",
            "__schema_version__": "1",
            "__timestamp__": "2026-03-05T09:00:00Z",
            "action": "save",
            "path": f"home/{name}/a.ipynb",
        },
    ]


def post(serve: Serve, events: list[dict], key: str | None = None):
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    request = Request(f"http://{serve.place}/api/v1/events", json.dumps(events).encode(), headers)
    with direct.open(request) as answer:
        return json.load(answer)


def run(data, *words) -> str:
    command = [hubscope(), *words, "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings())
    assert done.returncode == 0, done.stderr
    return done.stdout


def decoded(data) -> dict[str, bytes]:
    """What every file in the folder says: the rows of Parquet files, the bytes of others."""
    said = {}
    for path in data.rglob("*"):
        if path.is_file() and path.name != "reserve":
            if path.suffix == ".parquet":
                rows = parquet.read_table(path).to_pylist()
                said[str(path)] = "\n".join(str(value) for row in rows for value in row.values()).encode()
            elif path.suffix == ".zst":
                with pyarrow.CompressedInputStream(path, "zstd") as packed:
                    said[str(path)] = packed.read()
            else:
                said[str(path)] = path.read_bytes()
    return said


def holding(data, name: str) -> list[str]:
    return [path for path, said in decoded(data).items() if any(form in said for form in forms(name))]


def rows_of(data) -> list[str]:
    answer = run(data, "query", "--format", "json", "SELECT text FROM events UNION ALL SELECT text FROM quarantine")
    return sorted(row["text"] for row in json.loads(answer)["rows"])


@pytest.fixture
def folder(tmp_path):
    """Three flushes, with the person's events in the table, in old versions of it, and in the journal."""
    data = tmp_path / "data"
    data.mkdir()
    serve = Serve(data, HUBSCOPE_ARCHIVE__ENABLED="false", HUBSCOPE_STORE__COMPACT_PARTS="2")
    for flush in range(3):
        events = [action(user, 10 * flush + at) for at, user in enumerate([NAME, *OTHERS])]
        events += [event for user in [NAME, *OTHERS] for event in texts_about(user)]
        post(serve, events, key=f"flush-{flush}")
        if flush < 2:
            serve.stop()
            serve.start()
    yield data, serve
    serve.end()


@pytest.mark.parametrize("beside", [True, False], ids=["beside-serve", "alone"])
def test_nothing_of_them_is_left_and_everything_of_others(folder, beside):
    data, serve = folder
    if not beside:
        serve.stop()
    before = rows_of(data)
    assert holding(data, NAME), "the search finds the name while it is there"
    certificate = json.loads(run(data, "forget", "--user", NAME, "--format", "json"))
    theirs = 3 * (1 + len(texts_about(NAME)))
    assert certificate["rows_removed"] == theirs
    assert certificate["answers_forgotten"] == 3, "each request had an event whose complaint quotes the name"
    if beside:
        serve.stop()
    # A name that begins like theirs is another's; where only that one holds a form of theirs, it is not theirs.
    longer = [other for other in OTHERS if NAME in other]
    for path, said in decoded(data).items():
        for other in longer:
            for form in forms(other):
                said = said.replace(form, b"")
        assert not any(form in said for form in forms(NAME)), path
    after = rows_of(data)
    assert len(after) == len(before) - theirs
    assert set(after) <= set(before)
    assert run(data, "verify").strip().endswith("everything is as it was written")
    kept = json.loads((data / "state" / "certificate" / f"{certificate['id']}.json").read_text())
    assert kept == certificate


def test_what_comes_late_is_not_kept_and_what_comes_after_is(folder):
    data, serve = folder
    run(data, "forget", "--user", NAME)
    began = datetime.now(UTC).isoformat()
    count = len(rows_of(data))
    late = post(serve, [action(NAME, 1), action("jo", 1), *texts_about(NAME)])
    assert [event.get("reason") for event in late["events"]][:2] == ["forgotten", None]
    assert late["quarantined"] == 1 + len(texts_about(NAME))
    assert len(rows_of(data)) == count + 2 + len(texts_about(NAME)), "each has its place, and nothing in it"
    only_jo = {json.dumps(action("jo", 1)), ""}
    assert {row["text"] for row in serve.query(f"SELECT text FROM events WHERE received > '{began}'")} <= only_jo
    assert {row["text"] for row in serve.query(f"SELECT text FROM quarantine WHERE received > '{began}'")} <= only_jo
    came_back = action(NAME, 1) | {"__timestamp__": datetime.now(UTC).isoformat()}
    assert post(serve, [came_back])["admitted"] == 1
