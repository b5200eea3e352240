"""Every page, in three widths, light and dark: nothing blank, nothing too wide, no serious finding of an audit; without a
script and by keyboard alone."""

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from conftest import audit, drawn
from playwright.sync_api import Page, expect
from sample import RANGE

WIDTHS = [360, 1280, 1920]
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 25, 30)"}
ARIA = Path(__file__).parent / "aria"

PAGES = {
    "home": f"/?{RANGE}",
    "home-funder": f"/?audience=funder&{RANGE}",
    "home-public": f"/?audience=public&{RANGE}",
    "question": f"/kpi/launches?{RANGE}",
    "question-split": f"/kpi/launches-by-origin?{RANGE}",
    "question-ratio": f"/kpi/stickiness?{RANGE}",
    "question-ranking": f"/kpi/top-repos?{RANGE}",
    "question-histogram": f"/kpi/active-days?{RANGE}",
    "question-curve": f"/kpi/concurrency-percentile?{RANGE}",
    "question-lorenz": f"/kpi/hours-per-user?{RANGE}",
    "catalogue": "/kpi/",
    "data": "/data",
    "quarantine": "/quarantine",
}

# The marks of data in each chart that can be seen. Marks have an area; a box without any is blank.
CHARTS = """() => [...document.querySelectorAll('.drawing')].map(box => {
  const seen = [...box.querySelectorAll('svg.chart')].filter(svg => svg.getBoundingClientRect().width > 0);
  const marks = seen.flatMap(svg => [...svg.querySelectorAll('.mark')]).map(mark => mark.getBoundingClientRect());
  return {
    seen: seen.length,
    title: seen[0]?.querySelector('title')?.textContent ?? '',
    marks: marks.filter(mark => mark.width > 0 && mark.height > 0).length,
    outside: marks.filter(mark => mark.right > box.getBoundingClientRect().right + 1).length,
  };
})"""

# What the interactive chart drew: its marks of data, by Vega's own names of them.
INTERACTIVE = """() => [...document.querySelectorAll('.canvas svg')].map(svg =>
  [...svg.querySelectorAll('.mark-rect path, .mark-line path, .mark-area path, .mark-symbol path')]
    .map(mark => mark.getBoundingClientRect()).filter(mark => mark.width > 2 && mark.height > 2).length)"""


def is_question(name: str) -> bool:
    return name.startswith("question")


@pytest.mark.parametrize("scheme", list(GROUNDS))
@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_is_whole_in_every_width_and_theme(open_page, small, screenshot, name, scheme):
    page = open_page(PAGES[name], scheme=scheme, at=small)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if is_question(name):
            # What is interactive is drawn for the width that it finds.
            page.reload()
            drawn(page)
        is_whole(page, name, scheme)
        screenshot(page, f"{name}-{width}-{scheme}")


def is_whole(page: Page, name: str, scheme: str):
    content, window = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert content <= window, "the page scrolls sideways"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUNDS[scheme]
    charts = page.evaluate(CHARTS)
    for chart in charts:
        assert chart["seen"] == 1 and chart["title"] and chart["marks"] > 0 and chart["outside"] == 0, chart
    if name.startswith("home"):
        assert 3 <= len(charts) <= 10
    if is_question(name):
        assert len(charts) == 1
        assert all(marks > 0 for marks in page.evaluate(INTERACTIVE)), "the interactive chart is blank"
    audit(page)


def told(page: Page) -> str:
    """What a screen reader is told, without what changes with every run."""
    text = page.locator("body").aria_snapshot()
    text = re.sub(r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    today = datetime.now(timezone.utc)
    text = text.replace(f"{today:%Y-%m-%d}", "TODAY").replace(f"{today.day} {today:%b %Y}", "TODAY")
    text = re.sub(r"of the 371 days to TODAY: \d+", "of the 371 days to TODAY: N", text)
    text = re.sub(r"\b\d+\.\d+\.466\b", "STATE", text)
    text = re.sub(r'strong: "?([\d,]+|nothing)"?(\n\s+- text: waiting)', r"strong: N\2", text)
    text = re.sub(r"\d+ (s|min|h|days) ago", "N ago", text)
    # Statements have tests of their own.
    text = re.sub(r"code: .*\bSELECT\b.*", "code: SQL", text)
    text = re.sub(r"/assets/[0-9a-f]{16}/", "/assets/VERSION/", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"hubscope \d+\.\d+\.\d+", "hubscope VERSION", text)
    return text + "\n"


@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_tells_a_screen_reader_all_that_it_shows(open_page, small, request, name):
    page = open_page(PAGES[name], at=small, scripts=False)
    found = told(page)
    kept = ARIA / f"{name}.yaml"
    if request.config.getoption("--keep-aria"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(found)
    assert found == kept.read_text(), f"{kept} differs; look at it, then renew it with --keep-aria"


@pytest.mark.parametrize("name", list(PAGES))
def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_page, small, name):
    page = open_page(PAGES[name], at=small)
    if is_question(name):
        drawn(page)
    count = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]')]
             .filter(element => element.checkVisibility({ visibilityProperty: true })).length"""
    )
    reached = set()
    for _ in range(count * 4):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
              const element = document.activeElement;
              if (element === document.body) return null;
              element.dataset.reached ??= String(document.querySelectorAll('[data-reached]').length);
              const style = getComputedStyle(element);
              const after = getComputedStyle(element, '::after');
              const isSeen = style.outlineStyle !== 'none' || after.outlineStyle !== 'none';
              return { id: element.dataset.reached, html: element.outerHTML.slice(0, 120), isSeen };
            }"""
        )
        if at is None:
            break
        assert at["isSeen"], f"no focus can be seen on {at['html']}"
        reached.add(at["id"])
    assert len(reached) >= count, f"the keyboard reached {len(reached)} of {count}"


@pytest.mark.parametrize("name", list(PAGES))
def test_without_scripts_a_page_shows_the_same(open_page, small, name):
    with_scripts = open_page(PAGES[name], at=small)
    if is_question(name):
        drawn(with_scripts)
    without = open_page(PAGES[name], at=small, scripts=False)
    assert without.locator("h1").all_inner_texts() == with_scripts.locator("h1").all_inner_texts()
    assert without.locator("h2").all_inner_texts() == with_scripts.locator("h2").all_inner_texts()
    assert without.locator("p.figure").all_inner_texts() == with_scripts.locator("p.figure").all_inner_texts()
    expect(without.locator("svg.chart:visible")).to_have_count(len(with_scripts.evaluate(CHARTS)))


def test_a_server_without_events_shows_what_connects_one(open_page, untouched):
    for path in ["/", "/kpi/launches", "/kpi/starts", "/data", "/quarantine", "/kpi/"]:
        page = open_page(path, at=untouched)
        audit(page)
        if path == "/" or path.startswith("/kpi/") and path != "/kpi/":
            expect(page.get_by_role("main")).to_contain_text("from logging.handlers import HTTPHandler")
    page = open_page("/kpi/idle-share", at=untouched)
    audit(page)
    waiting = page.get_by_role("region", name="No JupyterHub has told this yet")
    expect(waiting).to_contain_text("[[hub]]")
    expect(waiting).to_contain_text('"read:servers"')


def test_what_was_never_sent_names_who_would_send_it(open_page, tmp_path_factory):
    from conftest import served
    import sample

    launches = [event for event in sample.small() if event.get("schema") == "binderhub.jupyter.org/launch"]
    server = served(tmp_path_factory.mktemp("binder"), launches)
    page = open_page(f"/?{RANGE}", at=next(server))
    waiting = page.get_by_role("region", name="No JupyterHub is connected yet")
    expect(waiting).to_contain_text("c.EventLogger.handlers = [hubscope]")
    expect(waiting.get_by_role("link").first).to_be_visible()
    expect(page.locator("section.card")).not_to_have_count(0)
    audit(page)
    # It asks again and again, and is not to find nobody.
    page.close()
    assert next(server, None) is None


def test_menus_hold_the_whole_state_in_the_address(open_page, small):
    page = open_page(f"/?{RANGE}", at=small)

    def choose(menu: str, item: str):
        navigation = page.get_by_role("navigation", name=menu, exact=True)
        navigation.locator("summary").click()
        navigation.get_by_role("link", name=item, exact=True).click()
        expect(navigation.locator("[aria-current=true]")).to_have_text(item)

    choose("Audience", "Public")
    choose("Comparison", "a year before")
    expect(page).to_have_url(re.compile(r"audience=public"))
    expect(page).to_have_url(re.compile(r"from=2026-03-02&to=2026-03-30"))
    expect(page).to_have_url(re.compile(r"compare=year"))
    page.locator("section.card h2 a").first.click()
    expect(page).to_have_url(re.compile(r"/kpi/.*audience=public.*from=2026-03-02&to=2026-03-30.*compare=year"))
    page.get_by_role("link", name="Overview").click()
    expect(page).to_have_url(re.compile(r"/\?audience=public.*compare=year"))
    page.get_by_role("navigation", name="Time range").locator("summary").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Time range").locator(".sheet")).to_be_hidden()
