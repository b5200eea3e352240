"""A hub elsewhere: its events come through TLS, with a token, and never hold it up."""

import re

import pytest

from actions import arrived
from gate import Gate
from jupyter import HUB, JupyterHub
from snippets import snippet

# The line of the queue's snippet that the network's is put in place of, as the page says.
HANDLER = re.compile(r"^hubscope = .*\n", re.MULTILINE)


@pytest.fixture
def gate(hubscope, tmp_path):
    gate = Gate(hubscope.place, tmp_path, HUB / "bin" / "python")
    yield gate
    gate.end()


@pytest.fixture
def hub(hubscope, gate, tmp_path):
    token = hubscope.shell(snippet("jupyterhub.md", "token"), tmp_path).strip()
    handler = snippet("jupyterhub.md", "network", {"hubscope.example.org": gate.place})
    lines, replaced = HANDLER.subn(lambda _: handler, snippet("jupyterhub.md", "queue"))
    assert replaced == 1
    hub = JupyterHub(tmp_path, HUB, lines, HUB_EVENTS_TOKEN=token, SSL_CERT_FILE=gate.authority)
    yield hub
    hub.end()


def test_the_hub_does_not_wait_for_an_answer_that_does_not_come(hub, gate, hubscope):
    hub.add("bea")
    hub.start("bea")
    gate.open()
    arrived(hubscope, "bea", [("start", "")])
    gate.shut()
    hub.stop("bea")
    gate.open()
    arrived(hubscope, "bea", [("start", ""), ("stop", "")])
    assert hubscope.query("SELECT DISTINCT hub, repairs FROM events") == [{"hub": "north", "repairs": "offset_before_z"}]
    assert hubscope.query("SELECT reason, text FROM quarantine") == []
