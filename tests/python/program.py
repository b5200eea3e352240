"""Programs that tests start: what they say as they say it, and an end that leaves none of them behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# A program that was asked to stop and has not after this long is killed, and the test fails.
STOP_SECONDS_MAX = 60
# How often a condition is looked at that nothing announces.
LOOK_SECONDS = 0.05


def hubscope() -> Path:
    """The program that was built for the tests."""
    named = os.environ.get("ACCEPTANCE_BINARY")
    if named:
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    built = REPOSITORY / target / "debug" / "hubscope"
    assert built.is_file(), f"{built} was not built; `cargo xtask test` builds it first"
    return built


def surroundings(**variables) -> dict[str, str]:
    """The environment, without what would set up our program or a Jupyter one, and with `variables`."""
    foreign = ("HUBSCOPE_", "JUPYTER", "CONFIGPROXY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {name: str(value) for name, value in variables.items()}


def until(condition, seconds: float, what: str):
    """What `condition` says as soon as that is true."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} seconds: {what}"
        time.sleep(LOOK_SECONDS)


def free_port() -> int:
    """A port of this machine on which nobody listens now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Program:
    """A program at work. It leads a group of its own, which ends with it."""

    def __init__(self, command: list, environment: dict[str, str], folder: Path | None = None):
        self.lines: list[str] = []
        self.is_closed = False
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            [str(word) for word in command],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.is_closed = True
            self.news.notify_all()

    @property
    def said(self) -> str:
        """All that it has printed so far."""
        with self.news:
            return "".join(self.lines)

    def wait_for(self, pattern: str, seconds: float) -> re.Match:
        """Waits until it prints a line that `pattern` is found in."""
        read = 0
        end = time.monotonic() + seconds
        with self.news:
            while True:
                for line in self.lines[read:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                read = len(self.lines)
                if self.is_closed or not self.news.wait(end - time.monotonic()):
                    break
        self.kill()
        pytest.fail(f"it did not say '{pattern}':\n{self.said}")

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Asks it to stop, waits until it has, and returns its exit code."""
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"it did not stop:\n{self.said}")
        self.kill()
        return self.process.returncode

    def kill(self):
        """Ends what is left of it and of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
