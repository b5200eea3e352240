"""The programs that are connected: a hub with its proxy and its users' servers, and a notebook server alone."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request

from program import REPOSITORY, Program, free_port, surroundings, until
from serve import direct

HUB = REPOSITORY / ".venv-hub"
HUB_4 = REPOSITORY / ".venv-hub-4"
PROXY = REPOSITORY / "tests" / "hub" / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"

# On a slow machine these programs take this long at most to start, and a hub to start a user's server.
START_SECONDS_MAX = 120
# The hub answers "pending" after ten seconds.
ANSWER_SECONDS_MAX = 60

# A hub that was asked to end stops its users' servers and its proxy within this time; one that cannot is killed.
SHUT_DOWN_SECONDS_MAX = 20

# Whoever tests a hub needs these; the lines that connect it follow, as the page has them. The users' servers stay in
# the hub's group of processes, so that they end with it, however it ends.
SETTINGS = """
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.port = {port}
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [{{"name": "tests", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"], "scopes": ["admin:users", "admin:servers", "admin:groups"]}}]
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.LocalProcessSpawner.popen_kwargs = {{"start_new_session": False}}
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = {start_seconds_max}
c.Spawner.http_timeout = {start_seconds_max}
"""


def surroundings_of(folder: Path, venv: Path, **variables) -> dict[str, str]:
    """The environment of a Jupyter program that keeps all its files in `folder`."""
    return surroundings(
        HOME=folder,
        PATH=f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        JUPYTER_CONFIG_DIR=folder / "config",
        JUPYTER_DATA_DIR=folder / "data",
        JUPYTER_RUNTIME_DIR=folder / "runtime",
        JUPYTER_PLATFORM_DIRS="1",
        **variables,
    )


def call(url: str, token: str, method: str, body=None):
    """An answer of a REST API; `None` where it says nothing, or that what was asked for is not there."""
    sent = None if body is None else json.dumps(body).encode()
    request = Request(url, sent, {"Authorization": f"token {token}", "Content-Type": "application/json"}, method=method)
    try:
        with direct.open(request, timeout=ANSWER_SECONDS_MAX) as answer:
            said = answer.read()
    except HTTPError as error:
        assert error.code == 404, f"{method} {url}: {error.code} {error.read().decode(errors='replace')}"
        return None
    return json.loads(said) if said else None


class JupyterHub:
    """A JupyterHub, connected by `lines` in its configuration."""

    def __init__(self, folder: Path, venv: Path, lines: str, **variables):
        self.folder = folder
        self.token = secrets.token_hex()
        self.port = free_port()
        settings = SETTINGS.format(
            port=self.port,
            hub_port=free_port(),
            proxy_port=free_port(),
            proxy=str(PROXY),
            token=self.token,
            start_seconds_max=START_SECONDS_MAX,
            homes=str(folder / "homes") + "/{username}",
        )
        (folder / "jupyterhub_config.py").write_text(f"{settings}\n{lines}")
        self.command = [venv / "bin" / "jupyterhub"]
        self.environment = surroundings_of(folder, venv, **variables)
        self.former: list[Program] = []
        self.launch()

    def launch(self):
        self.program = Program(self.command, self.environment, self.folder)
        try:
            self.program.wait_for("JupyterHub is now running", START_SECONDS_MAX)
        except BaseException:
            self.end()
            raise

    def crash(self, *servers: int):
        """Kills the hub, and the processes of these servers with it; then starts it again. Other servers run on."""
        self.program.process.kill()
        self.program.process.wait()
        self.kill_proxy()
        for server in servers:
            os.kill(server, signal.SIGKILL)
        self.former.append(self.program)
        self.launch()

    def call(self, method: str, path: str, body=None):
        return call(f"http://127.0.0.1:{self.port}/hub/api{path}", self.token, method, body)

    def add(self, user: str):
        self.call("POST", f"/users/{quote(user, safe='')}")

    def remove(self, user: str):
        self.call("DELETE", f"/users/{quote(user, safe='')}")

    def join(self, group: str, user: str):
        """Makes a group with a user in it."""
        path = f"/groups/{quote(group, safe='')}"
        self.call("POST", path)
        self.call("POST", f"{path}/users", {"users": [user]})

    def start(self, user: str, server: str = "", options: dict | None = None):
        """Starts a server of a user, and waits until the hub says that it is there."""
        self.call("POST", self.server_path(user, server), options)
        until(lambda: self.server(user, server).get("ready"), START_SECONDS_MAX, f"the start of {user}'s '{server}'")

    def stop(self, user: str, server: str = ""):
        """Stops a server of a user, and waits until the hub says that it is gone."""
        self.call("DELETE", self.server_path(user, server))
        until(lambda: not self.server(user, server), START_SECONDS_MAX, f"the stop of {user}'s '{server}'")

    def server(self, user: str, server: str) -> dict:
        """A user's server as the hub describes it; empty unless it runs, or is about to."""
        return self.call("GET", f"/users/{quote(user, safe='')}")["servers"].get(server, {})

    @staticmethod
    def server_path(user: str, server: str) -> str:
        path = f"/users/{quote(user, safe='')}/server"
        return f"{path}s/{quote(server, safe='')}" if server else path

    def end(self):
        """For the end of a test, however that went."""
        if self.program.process.poll() is None:
            self.program.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.program.process.wait(SHUT_DOWN_SECONDS_MAX)
        self.program.process.kill()
        self.kill_proxy()
        for program in [*self.former, self.program]:
            program.kill()

    def kill_proxy(self):
        """The proxy leads a group of its own. A hub that was killed leaves it behind, with a note of its number."""
        note = self.folder / "jupyterhub-proxy.pid"
        if note.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(note.read_text()), signal.SIGKILL)


class JupyterServer:
    """A notebook server alone, connected by `lines` in its configuration."""

    def __init__(self, folder: Path, venv: Path, lines: str):
        self.token = secrets.token_hex()
        self.port = free_port()
        self.root = folder / "notebooks"
        self.root.mkdir()
        (folder / "config").mkdir()
        (folder / "config" / "jupyter_server_config.py").write_text(lines)
        options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"]
        command = [venv / "bin" / "jupyter-server", *options, f"--IdentityProvider.token={self.token}"]
        environment = surroundings_of(folder, venv)
        self.program = Program([*command, f"--ServerApp.root_dir={self.root}"], environment, folder)
        try:
            until(self.answers, START_SECONDS_MAX, "the notebook server answers")
        except BaseException:
            self.end()
            raise

    def answers(self) -> bool:
        assert self.program.process.poll() is None, self.program.said
        try:
            return self.call("GET", "/status") is not None
        except URLError:
            return False

    def call(self, method: str, path: str, body=None):
        return call(f"http://127.0.0.1:{self.port}/api{path}", self.token, method, body)

    def end(self):
        self.program.kill()
