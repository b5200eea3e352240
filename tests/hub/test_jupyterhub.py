"""JupyterHub of today: users start and stop servers, and every one of it is there, once."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from actions import ARRIVAL_SECONDS_MAX, arrived
from jupyter import HUB, JupyterHub
from program import until
from snippets import snippet

SCHEMA = "https://schema.jupyter.org/jupyterhub/events/server-action"
# A server needs a whole core to start; more at once gain nothing.
USERS_AT_ONCE = 2
LAUNCH = {
    "schema": "binderhub.jupyter.org/launch",
    "version": 1,
    "provider": "GitHub",
    "spec": "ipython/ipython-in-depth/master",
    "status": "success",
}


@pytest.fixture(scope="module")
def hub(hubscope, tmp_path_factory):
    lines = snippet("jupyterhub.md", "handler", {"127.0.0.1:8080": hubscope.place})
    hub = JupyterHub(tmp_path_factory.mktemp("hub"), HUB, lines)
    yield hub
    hub.end()


def test_what_users_start_and_stop_is_there_each_once(hub, hubscope):
    began = datetime.now(timezone.utc)

    def two_servers(user: str):
        hub.add(user)
        hub.start(user)
        hub.start(user, "lab")
        hub.stop(user)
        hub.stop(user, "lab")

    def one_server(user: str):
        hub.add(user)
        hub.start(user)
        hub.stop(user)

    def deleted_while_it_runs(user: str):
        hub.add(user)
        hub.start(user)
        hub.remove(user)

    users = {"zoë": two_servers, "o'brien": one_server, "x@example.org": deleted_while_it_runs}
    with ThreadPoolExecutor(USERS_AT_ONCE) as pool:
        for done in [pool.submit(does, user) for user, does in users.items()]:
            done.result()
    arrived(hubscope, "zoë", [("start", ""), ("start", "lab"), ("stop", ""), ("stop", "lab")])
    arrived(hubscope, "o'brien", [("start", ""), ("stop", "")])
    arrived(hubscope, "x@example.org", [("start", ""), ("stop", "")])

    ended = datetime.now(timezone.utc)
    rows = hubscope.query(f"SELECT time, hub, version, repairs FROM events WHERE schema = '{SCHEMA}'")
    assert len(rows) == 8
    for row in rows:
        assert began <= datetime.fromisoformat(row["time"]) <= ended, row
        assert (row["hub"], row["version"], row["repairs"]) == ("default", "1", "offset_before_z,python_repr")
    assert hubscope.query("SELECT reason, text FROM quarantine") == []

    days = f"from={began.date()}&to={ended.date() + timedelta(days=1)}&zone=UTC"
    assert sum(row["value"] for row in hubscope.kpi("starts", days)) == 4
    if began.date() == ended.date():
        assert [row["value"] for row in hubscope.kpi("active-users-daily", days)] == [3]


def test_the_hub_works_on_while_hubscope_is_down_and_later_events_arrive(hub, hubscope):
    hub.add("ann")
    hubscope.stop()
    hub.start("ann")
    hubscope.start()
    hub.stop("ann")
    arrived(hubscope, "ann", [("stop", "")])


def test_the_page_and_the_command_line_show_what_is_kept(hub, hubscope, tmp_path):
    kept = hubscope.count("events")
    page = hubscope.get("/")
    shown = {name: re.search(rf'data-field="{name}">([^<]*)<', page).group(1) for name in ["events", "quarantined"]}
    assert kept > 0 and shown == {"events": str(kept), "quarantined": "0"}
    assert "No event has come yet" not in page
    for name in ["zoë", "o'brien", "x@example.org", "ann"]:
        assert name in hubscope.shell(snippet("jupyterhub.md", "look"), tmp_path)
    assert "server-action" in hubscope.shell(snippet("README.md", "look"), tmp_path)


def test_a_launch_is_published_and_nothing_of_a_user(hub, hubscope):
    assert hubscope.count("server_actions") > 0
    now = datetime.now(timezone.utc)
    hubscope.post({"timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), **LAUNCH})
    until(hubscope.archived, ARRIVAL_SECONDS_MAX, "a day is published")
    lines = [line for day in hubscope.archived().values() for line in day.splitlines()]
    assert len(lines) == 1 and '"spec": "ipython/ipython-in-depth/master"' in lines[0], lines
