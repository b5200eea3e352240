"""JupyterHub 4, which sends through jupyter_telemetry under the schema's old name."""

import pytest

from actions import arrived
from jupyter import HUB_4, JupyterHub
from snippets import snippet

pytestmark = pytest.mark.skipif(not HUB_4.exists(), reason="JupyterHub 4 does not run on this Python")


def test_what_users_start_and_stop_is_there_each_once(hubscope, tmp_path):
    lines = snippet("jupyterhub-4.md", "handler", {"127.0.0.1:8080": hubscope.place})
    hub = JupyterHub(tmp_path, HUB_4, lines)
    try:
        hub.add("zoë")
        hub.start("zoë")
        hub.stop("zoë")
    finally:
        hub.end()
    arrived(hubscope, "zoë", [("start", ""), ("stop", "")])
    kept = hubscope.query("SELECT DISTINCT schema, version, hub, repairs FROM events")
    assert kept == [
        {"schema": "hub.jupyter.org/server-action", "version": "1", "hub": "default", "repairs": "python_repr"}
    ]
    assert "zoë" in hubscope.shell(snippet("jupyterhub-4.md", "look"), tmp_path)
    assert hubscope.query("SELECT reason, text FROM quarantine") == []
