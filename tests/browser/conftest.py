"""The real program on its sample data, seen in a real browser.

One demo serves all tests of a run, and beside it small servers whose every event is known; every test gets a page of its
own that fails the test, once it is over, for an error on the console, an answer that is an error, or a request to another
host.
"""

import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import axe_playwright_python
import pytest
import sample
from playwright.sync_api import Browser, Page, sync_playwright
from program import REPOSITORY, Program, hubscope, surroundings

SCREENSHOTS = REPOSITORY / "target" / "screenshots"

# In a build without optimisation, on a slow machine, loading the sample takes this long at most.
START_SECONDS_MAX = 180

# So long a build without optimisation may take for a page of many questions over the whole sample.
ANSWER_MS_MAX = 120_000

# The browser asks nobody but the page's server: neither for updates nor to measure the network.
BROWSER_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]

# Where policy is broken, the browser says so; kept here so that a page cannot hide it.
WATCH_POLICY = """addEventListener('securitypolicyviolation', event =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""


def pytest_addoption(parser):
    parser.addoption("--keep-aria", action="store_true", help="keep what screen readers are told now as what is right")


# Findings of these weights fail a test.
SERIOUS = ("serious", "critical")
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


def send(address: str, event) -> dict:
    """Sends an event, or a list of them, as any program would."""
    body = json.dumps(event).encode()
    request = Request(f"{address}/api/v1/events", data=body, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def audit(page: Page):
    """Fails on a serious finding of axe. It is put in by the browser's own means, as the page's policy lets nothing in."""
    page.evaluate(AXE + "; 0")
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    serious = [
        f"{finding['id']} ({finding['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for finding in found
        if finding["impact"] in SERIOUS
        for node in finding["nodes"]
    ]
    assert not serious, "\n".join(serious)


def drawn(page: Page) -> Page:
    """The same page, once its chart has become interactive."""
    page.locator("[data-chart].drawn").wait_for(timeout=ANSWER_MS_MAX)
    return page


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> str:
    environment = surroundings(TMPDIR=tmp_path_factory.mktemp("demo"))
    demo = Program([hubscope(), "demo", "--quiet", "--port", "18200"], environment)
    yield demo.wait_for(r"http://[0-9.]+:[0-9]+", START_SECONDS_MAX).group()
    code = demo.stop(signal.SIGINT)
    assert code == 0, demo.said


def served(folder: Path, events: list[dict]):
    """A server of its own over an empty folder, with `events` in it."""
    command = [hubscope(), "serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
    server = Program(command, surroundings(TMPDIR=folder), folder)
    address = server.wait_for(r"http://[0-9.]+:[0-9]+", START_SECONDS_MAX).group()
    if events:
        send(address, events)
    yield address
    code = server.stop(signal.SIGINT)
    assert code == 0, server.said


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> str:
    """A hub and a BinderHub of which every event is known: what their pages say is known too."""
    yield from served(tmp_path_factory.mktemp("small"), sample.small())


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> str:
    """Emitters whose every name tries to be more than text."""
    yield from served(tmp_path_factory.mktemp("hostile"), sample.hostile())


@pytest.fixture(scope="session")
def untouched(tmp_path_factory) -> str:
    """A server to which nothing was ever sent."""
    yield from served(tmp_path_factory.mktemp("untouched"), [])


@pytest.fixture(scope="session")
def archive(address) -> str:
    """The archive's address, once the demo has published it: it does so after it has said where it listens."""
    url = f"{address}/archive/"
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        try:
            with urlopen(url + "index.jsonl", timeout=30) as answer:
                if answer.read():
                    return url
        except HTTPError as error:
            assert error.code == 404, error
        time.sleep(0.1)
    pytest.fail("the archive was not published")


@pytest.fixture(scope="session")
def browser() -> Browser:
    arguments = BROWSER_ARGUMENTS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did that no page of ours does."""

    host: str
    faults: list[str] = field(default_factory=list)

    def on(self, page: Page):
        page.on("console", lambda message: self.console(message))
        page.on("pageerror", lambda error: self.faults.append(f"script failed: {error}"))
        page.on("request", lambda request: self.request(request.url))
        page.on("response", lambda response: self.response(response))

    def console(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def request(self, url: str):
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self.host:
            self.faults.append(f"asked another host: {url}")

    def response(self, response):
        if response.status >= 400:
            self.faults.append(f"{response.status} for {response.url}")


@pytest.fixture
def open_page(browser, request):
    """Opens pages of a width, in light or dark, with or without scripts, of the demo or another server; watches each to the end of
    the test."""
    opened = []

    def opener(path="/", width=1280, scheme="light", scripts=True, at=None) -> Page:
        server = at or request.getfixturevalue("address")
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
            base_url=server,
        )
        page = context.new_page()
        # Of navigations too: a click that leads elsewhere waits for it.
        page.set_default_timeout(ANSWER_MS_MAX)
        if scripts:
            page.add_init_script(WATCH_POLICY)
        watch = Watch(urlsplit(server).netloc)
        watch.on(page)
        opened.append((context, watch))
        page.goto(path)
        return page

    yield opener
    for context, watch in opened:
        context.close()
        assert watch.faults == []


@pytest.fixture
def screenshot():
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str, whole=True):
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)

    return take
