"""A running `hubscope serve`, and what it answers."""

import json
import os
import subprocess
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from program import Program, free_port, hubscope, surroundings

# In a build without optimisation, on a slow machine, the program needs this long at most before it listens.
START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 60

# Everything is on this machine: no proxy that the environment may name is asked.
direct = build_opener(ProxyHandler({}))


class Serve:
    """The program on a folder of its own. It may be stopped and started again, at the same address."""

    def __init__(self, folder: Path, **settings):
        self.folder = folder
        self.environment = surroundings(HUBSCOPE_DATA=folder, **settings)
        self.place = f"127.0.0.1:{free_port()}"
        self.program: Program | None = None
        self.start()

    def start(self):
        self.program = Program([hubscope(), "serve", "--listen", self.place], self.environment)
        self.program.wait_for(r"^listening on http://", START_SECONDS_MAX)

    def stop(self):
        """Stops it; what it keeps is complete then."""
        program, self.program = self.program, None
        code = program.stop()
        assert code == 0, program.said

    def end(self):
        """For the end of a test, however that went."""
        if self.program is not None:
            self.program.kill()

    def get(self, path: str) -> str:
        with direct.open(f"http://{self.place}{path}", timeout=ANSWER_SECONDS_MAX) as answer:
            return answer.read().decode()

    def query(self, sql: str) -> list[dict]:
        """The rows of a statement."""
        body = json.dumps({"sql": sql}).encode()
        request = Request(f"http://{self.place}/api/v1/query", body, {"Content-Type": "application/json"})
        with direct.open(request, timeout=ANSWER_SECONDS_MAX) as answer:
            return json.load(answer)["rows"]

    def kpi(self, name: str, parameters: str) -> list[dict]:
        """The rows with which a question of the catalogue is answered."""
        return json.loads(self.get(f"/api/v1/kpis/{name}?{parameters}"))["rows"]

    def count(self, table: str) -> int:
        """The rows of a table."""
        return int(self.query(f"SELECT count(*) AS n FROM {table}")[0]["n"])

    def post(self, event: dict) -> dict:
        """Sends an event; what it was answered."""
        body = json.dumps(event).encode()
        request = Request(f"http://{self.place}/api/v1/events", body, {"Content-Type": "application/json"})
        with direct.open(request, timeout=ANSWER_SECONDS_MAX) as answer:
            return json.load(answer)

    def shell(self, script: str, folder: Path) -> str:
        """What a shell prints for `script`: one of an operator, to whom `hubscope` is this program and its folder."""
        environment = {**self.environment, "NO_PROXY": "*"}
        environment["PATH"] = f"{hubscope().parent}{os.pathsep}{environment['PATH']}"
        command = ["sh", "-e", "-c", script]
        ran = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX
        )
        assert ran.returncode == 0, f"{script}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def archived(self) -> dict[str, str]:
        """The days that are published, by the names of their files."""
        index = [json.loads(line) for line in self.get("/archive/index.jsonl").splitlines()]
        return {day["name"]: self.get(f"/archive/{day['name']}") for day in index}
