"""BinderHub's EventLog, in its only release: the archive shows the launches that it tells of.

BinderHub itself needs a cluster. Its EventLog, which alone takes the lines of the page, does not; what it emits today is
tested by captures in tests/http.
"""

import subprocess

import pytest

from actions import ARRIVAL_SECONDS_MAX
from jupyter import HUB_4
from program import surroundings, until
from snippets import snippet

pytestmark = pytest.mark.skipif(not HUB_4.exists(), reason="BinderHub's release is not installed on this Python")

RUN_SECONDS_MAX = 60

# What BinderHub does with its configuration and after a launch. It ends at once, so a queue must be emptied on the way.
LAUNCHES = """
import sys
from binderhub.events import EventLog
from traitlets.config import PyFileConfigLoader

event_log = EventLog(config=PyFileConfigLoader(sys.argv[1]).load_config())
for spec in sys.argv[2:]:
    event_log.emit_launch("GitHub", spec, "success")
"""


@pytest.mark.parametrize(
    "lines, repair",
    [(("binderhub.md", "handler"), "nested_event,python_repr"), (("binderhub.md", "queue"), "nested_event")],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_launches_are_answered_and_published(hubscope, tmp_path, lines, repair):
    name = lines[1]
    specs = [f"example/{name}/HEAD", f"Example/{name}-2.git/feature/x"]
    config = tmp_path / "binderhub_config.py"
    config.write_text(snippet(*lines, {"127.0.0.1:8080": hubscope.place}))
    python = HUB_4 / "bin" / "python"
    subprocess.run([python, "-c", LAUNCHES, config, *specs], env=surroundings(), check=True, timeout=RUN_SECONDS_MAX)

    sql = "SELECT e.repairs, l.provider, l.spec, l.repo_key FROM events e JOIN launches l USING (collector, position)"
    rows = [row for row in hubscope.query(f"{sql} ORDER BY position") if row["spec"] in specs]
    assert [(row["provider"], row["spec"], row["repairs"]) for row in rows] == [("GitHub", s, repair) for s in specs]
    repositories = [f"https://github.com/example/{name}", f"https://github.com/example/{name}-2"]
    assert [row["repo_key"] for row in rows] == repositories
    assert repositories[1] in hubscope.shell(snippet("binderhub.md", "look"), tmp_path)
    assert hubscope.query("SELECT reason, text FROM quarantine") == []

    def published() -> bool:
        text = "".join(hubscope.archived().values())
        return all(f'"spec": "{spec}"' in text for spec in specs)

    until(published, ARRIVAL_SECONDS_MAX, "the launches are published")
