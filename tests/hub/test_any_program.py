"""What the page for any program says, line by line: a schema of one's own, then events from a shell and from Python."""

import json
import subprocess

from jupyter import HUB
from program import surroundings
from snippets import snippet

RUN_SECONDS_MAX = 60


def test_a_schema_of_ones_own_and_events_from_a_shell_and_from_python(hubscope, tmp_path):
    (tmp_path / "backup.yaml").write_text(snippet("any-program.md", "schema"))
    hubscope.shell(snippet("any-program.md", "add"), tmp_path)

    place = {"127.0.0.1:8080": hubscope.place}
    said = hubscope.shell(snippet("any-program.md", "curl", place), tmp_path)
    assert [told["verdict"] for told in json.loads(said)["events"]] == ["admitted"]
    command = [HUB / "bin" / "python", "-c", snippet("any-program.md", "requests", place)]
    said = subprocess.run(
        command, env=surroundings(NO_PROXY="*"), check=True, capture_output=True, text=True, timeout=RUN_SECONDS_MAX
    )
    assert said.stdout.startswith("admitted ")

    rows = hubscope.query("SELECT text FROM events WHERE schema = 'https://example.org/backup' ORDER BY position")
    events = [json.loads(row["text"]) for row in rows]
    kept = [(event["host"], event["outcome"], event.get("bytes")) for event in events]
    assert kept == [("a.example.org", "done", 1234567890123), ("b.example.org", "failed", None)]
    shown = hubscope.shell(snippet("any-program.md", "look"), tmp_path)
    assert "a.example.org" in shown and "b.example.org" in shown
