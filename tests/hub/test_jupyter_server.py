"""A notebook server alone: what is done with its files and kernels is there."""

import json

import pytest

from actions import ARRIVAL_SECONDS_MAX
from jupyter import HUB, JupyterServer
from program import until
from snippets import snippet

CONTENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
KERNELS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"


@pytest.fixture
def server(hubscope, tmp_path):
    lines = snippet("jupyter-server.md", "handler", {"127.0.0.1:8080": hubscope.place})
    server = JupyterServer(tmp_path, HUB, lines)
    yield server
    server.end()


def events_of(hubscope, schema: str, *fields: str) -> list[tuple]:
    """The fields of a schema's events, in the order in which they came."""
    rows = hubscope.query(f"SELECT text FROM events WHERE schema = '{schema}' ORDER BY position")
    events = [json.loads(row["text"]) for row in rows]
    return [tuple(event.get(field) for field in fields) for event in events]


def test_files_and_kernels(server, hubscope, tmp_path):
    note = {"type": "file", "format": "text", "content": "a note"}
    server.call("PUT", "/contents/a%20note.txt", note)
    server.call("PATCH", "/contents/a%20note.txt", {"path": "größer.txt"})
    server.call("DELETE", "/contents/gr%C3%B6%C3%9Fer.txt")
    kernel = server.call("POST", "/kernels", {"name": "python3"})
    server.call("DELETE", f"/kernels/{kernel['id']}")

    files = [("save", "a note.txt", None), ("rename", "größer.txt", "a note.txt"), ("delete", "größer.txt", None)]
    kernels = [("start", kernel["id"], "success"), ("shutdown", kernel["id"], "success")]
    until(lambda: len(events_of(hubscope, KERNELS)) == 2, ARRIVAL_SECONDS_MAX, "the kernel's end, which is the last")
    done = events_of(hubscope, CONTENTS, "action", "path", "source_path")
    # The server also looks at a file before it writes it, and after.
    assert [event for event in done if event[0] != "get"] == files
    assert events_of(hubscope, KERNELS, "action", "kernel_id", "status") == kernels
    shown = hubscope.shell(snippet("jupyter-server.md", "look"), tmp_path)
    assert all(word in shown for word in ["a note.txt", "rename", kernel["id"]])
    assert hubscope.query("SELECT reason, text FROM quarantine") == []
