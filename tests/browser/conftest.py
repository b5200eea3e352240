"""The real program on its sample data, seen in a real browser.

One demo serves all tests of a run; every test gets a page of its own that fails the test, once it is over, for an error on
the console, an answer that is an error, or a request to another host.
"""

import os
import signal
import time
from dataclasses import dataclass, field
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from program import REPOSITORY, Program, hubscope, surroundings

SCREENSHOTS = REPOSITORY / "target" / "screenshots"

# In a build without optimisation, on a slow machine, loading the sample takes this long at most.
START_SECONDS_MAX = 180

# The browser asks nobody but the page's server: neither for updates nor to measure the network.
BROWSER_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> str:
    environment = surroundings(TMPDIR=tmp_path_factory.mktemp("demo"))
    demo = Program([hubscope(), "demo", "--quiet", "--port", "18200"], environment)
    yield demo.wait_for(r"http://[0-9.]+:[0-9]+", START_SECONDS_MAX).group()
    code = demo.stop(signal.SIGINT)
    assert code == 0, demo.said


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
def open_page(browser, address):
    """Opens pages of a width, in light or dark, with or without scripts; watches each to the end of the test."""
    opened = []

    def opener(path="/", width=1280, scheme="light", scripts=True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
            base_url=address,
        )
        page = context.new_page()
        watch = Watch(urlsplit(address).netloc)
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
