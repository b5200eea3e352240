"""What only polls of the hub can tell: servers that died, and what became of them when the hub did.

The hub sends no events here, so that everything that is known comes from polls.
"""

import os
import re
import signal
from pathlib import Path

import pytest

from jupyter import HUB, JupyterHub
from program import until
from serve import Serve
from snippets import snippet

# A test waits for a few polls.
POLL_INTERVAL = "500 ms"
# A hub notices within half a minute that a server has died, and lists it until then.
SEEN_SECONDS_MAX = 60
# For so long after its start a hub may not yet list the servers that it finds again.
COLD_SECONDS = 120
TOKEN = "0f" * 32
CURIOUS_TOKEN = "1f" * 32
EXAMPLE_TOKEN = "REPLACE-WITH-openssl-rand-hex-32"
# How soon the hub looks after its servers.
LOOK = "c.Spawner.poll_interval = 1\n"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    lines = LOOK + snippet("jupyterhub.md", "service", {EXAMPLE_TOKEN: TOKEN})
    # Another hubscope, which may learn more.
    lines += snippet("jupyterhub.md", "service", {EXAMPLE_TOKEN: CURIOUS_TOKEN, '"hubscope"': '"curious"'})
    lines += snippet("jupyterhub.md", "accounts")
    hub = JupyterHub(tmp_path_factory.mktemp("hub"), HUB, lines)
    yield hub
    hub.end()


def polls(hub: JupyterHub, folder: Path, token: str) -> Serve:
    """A hubscope that polls the hub, set up as the page says."""
    places = {"http://127.0.0.1:8000": f"http://127.0.0.1:{hub.port}", EXAMPLE_TOKEN: token}
    toml = snippet("jupyterhub.md", "poll", places)
    config = folder / "hubscope.toml"
    config.write_text(f'{toml}poll_interval = "{POLL_INTERVAL}"\n')
    return Serve(folder / "data", HUBSCOPE_CONFIG=config)


@pytest.fixture(scope="module")
def polling(hub, tmp_path_factory):
    serve = polls(hub, tmp_path_factory.mktemp("polling"), TOKEN)
    yield serve
    serve.end()


def session(serve: Serve, user: str) -> dict | None:
    """The only session of a user, once there is one."""
    rows = serve.query(f"SELECT * FROM sessions WHERE username = '{user}'")
    assert len(rows) <= 1, rows
    return rows[0] if rows else None


def seen(serve: Serve, user: str, known_by: str) -> dict:
    """The session of a user, once its end is known by that."""

    def look():
        found = session(serve, user)
        return found if found and found["end_known_by"] == known_by else None

    return until(look, SEEN_SECONDS_MAX, f"{user}: {known_by}")


def in_order(row: dict):
    times = [row[name] for name in ("start_low", "start", "end_low", "end", "end_high")]
    assert times == sorted(times), row


def process_of(user: str) -> int:
    """The process of a user's server, and not one that it started."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            if f"JUPYTERHUB_USER={user}".encode() in environment:
                status = (folder / "status").read_text()
                parents[int(folder.name)] = int(status.partition("PPid:")[2].split()[0])
        except OSError:
            continue
    first = [process for process, parent in parents.items() if parent not in parents]
    assert len(first) == 1, f"the servers of {user}: {parents}"
    return first[0]


def count(serve: Serve, sql: str) -> int:
    return int(serve.query(f"SELECT count(*) AS n FROM {sql}")[0]["n"])


def test_a_server_that_dies_is_gone_by_a_poll(hub, polling):
    hub.add("dies")
    hub.start("dies")
    row = seen(polling, "dies", "open")
    assert row["start_known_by"] == "hub", row
    os.kill(process_of("dies"), signal.SIGKILL)
    row = seen(polling, "dies", "E2")
    assert row["end_reason"] == "vanished", row
    in_order(row)


def test_servers_that_are_stopped_and_whose_user_is_deleted(hub, polling):
    for user in ("stops", "leaves"):
        hub.add(user)
        hub.start(user)
        seen(polling, user, "open")
    hub.stop("stops")
    hub.remove("leaves")
    for user in ("stops", "leaves"):
        in_order(seen(polling, user, "E2"))


def test_a_hub_that_finds_its_server_again_ends_no_session(hub, polling):
    hub.add("stays")
    hub.start("stays")
    before = seen(polling, "stays", "open")
    restarts = "events WHERE schema = 'schema.hubscope/hub-restart'"
    assert count(polling, restarts) == 1
    hub.crash()
    until(lambda: count(polling, restarts) == 2, SEEN_SECONDS_MAX, "the restart is seen")
    polls = "hub_polls WHERE complete"
    known = count(polling, polls)
    until(lambda: count(polling, polls) >= known + 3, SEEN_SECONDS_MAX, "polls after it")
    after = session(polling, "stays")
    assert (after["end_known_by"], after["start"]) == ("open", before["start"]), after
    assert count(polling, "hub_polls WHERE problem IS NOT NULL") > 0, "the hub was away for a while"


def test_a_hub_that_comes_back_without_a_server_ends_its_session(hub, polling):
    hub.add("falls")
    hub.start("falls")
    before = seen(polling, "falls", "open")
    hub.crash(process_of("falls"))

    def ended():
        row = session(polling, "falls")
        return row if row["end_known_by"] != "open" else None

    row = until(ended, COLD_SECONDS + SEEN_SECONDS_MAX, "the session has ended")
    in_order(row)
    assert row["start"] == before["start"], row
    assert row["end_known_by"] in ("E2", "E4"), row
    assert session(polling, "stays")["end_known_by"] == "open"


def test_what_a_hub_tells_of_accounts_and_choices(hub, polling, tmp_path):
    hub.add("chooses")
    hub.join('biology "A"', "chooses")
    hub.start("chooses", options={"profile": "small", "image": 7})
    curious = polls(hub, tmp_path, CURIOUS_TOKEN)
    try:
        listed = until(
            lambda: curious.query("SELECT * FROM accounts WHERE username = 'chooses'"), SEEN_SECONDS_MAX, "an account"
        )
        created = hub.call("GET", "/users/chooses")["created"]
        assert [(row["created"][:23], row["groups"]) for row in listed] == [(created[:23], '["biology \\"A\\""]')], listed
        assert curious.query("SELECT username, profile, image FROM server_choices") == [
            {"username": "chooses", "profile": "small", "image": None}
        ]
        answer = curious.kpi("users-by-group", "")
        assert {"name": 'biology "A"', "value": 1} in answer, answer
    finally:
        curious.end()
    hub.stop("chooses")
    # The hub's own gauge stands beside the count of its list.
    lists = polling.query("SELECT * FROM user_lists WHERE complete")
    assert lists and all(row["active_24h"] <= row["users"] for row in lists), lists
    assert all(isinstance(row["gauge_30d"], int) for row in lists), lists
    # With the least scopes, nothing is known of accounts.
    assert count(polling, "accounts") == 0
    answer = polling.kpi("users-by-group", "")
    assert not answer, answer


def test_sessions_are_the_same_after_a_restart_of_hubscope(hub, polling):
    everything = "SELECT username, start, end_known_by FROM sessions ORDER BY 1, 2"
    before = polling.query(everything)
    assert before
    polling.stop()
    polling.start()
    assert polling.query(everything) == before


def test_the_page_of_the_data_says_how_polls_go(polling):
    assert "Hubs that are asked" in polling.get("/data")
    until(lambda: "Answers." in polling.get("/data"), SEEN_SECONDS_MAX, "the hub answers")


def test_the_token_shows_nowhere(polling):
    shown = polling.shell(f"hubscope --config {polling.environment['HUBSCOPE_CONFIG']} config show", Path.cwd())
    assert re.search(r"hub\[0\]\.token +\*\*\*", shown), shown
    metrics = polling.get("/metrics")
    assert TOKEN not in shown + metrics + polling.program.said
    assert 'hubscope_poll_failing{hub="default"} 0' in metrics


def test_servers_of_users_are_never_asked(hub, polling):
    asked = [line for line in hub.program.said.splitlines() if "/user/" in line and "hubscope@" in line]
    assert not asked, asked


def test_its_database_and_its_log_tell_what_they_know(hub, polling):
    hub.add("logged")
    hub.start("logged")
    hub.stop("logged")
    log = hub.folder / "hub.log"
    log.write_text("".join(program.said for program in [*hub.former, hub.program]))
    told = polling.shell(f"hubscope import hub-db '{hub.folder}/jupyterhub.sqlite' --hub database", hub.folder)
    assert told.startswith("1 days added"), told
    polling.shell(f"hubscope import hub-log '{log}' --hub log", hub.folder)

    def sessions(of_hub: str) -> dict[str, dict]:
        return {row["username"]: row for row in polling.query(f"SELECT * FROM sessions WHERE hub = '{of_hub}'")}

    polled, copied, logged = sessions("default"), sessions("database"), sessions("log")
    # Of the servers that ran once, the database keeps those that run.
    assert set(copied) == {"stays"}, copied
    assert copied["stays"]["start"] == polled["stays"]["start"], (copied, polled)
    assert copied["stays"]["end_known_by"] == "open", copied
    assert {"dies", "stops", "leaves", "stays", "logged"} <= set(logged), logged
    assert logged["logged"]["end_known_by"] == "E1", logged["logged"]
