"""The first page: every question is a card with a number and a chart, on every screen, in light and dark."""

import re
from datetime import datetime, timezone

import pytest
from conftest import send
from playwright.sync_api import Page, expect

WIDTHS = [360, 1280, 1920]
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 25, 30)"}

# Of the charts that a card holds for several widths one is shown. Marks are what stands for data: at least one has an area.
SHOWN_MARKS = """card => {
  const shown = [...card.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0);
  const marks = shown.flatMap(svg => [...svg.querySelectorAll('rect, path, polyline, polygon, circle')]);
  const sizes = marks.map(mark => mark.getBoundingClientRect());
  return {
    charts: shown.length,
    titles: shown.filter(svg => svg.querySelector('title')?.textContent.trim()).length,
    marks: sizes.filter(size => size.width > 0 && size.height > 0).length,
    labels: shown.flatMap(svg => [...svg.querySelectorAll('text')]).filter(text => text.textContent.trim()).length,
  };
}"""


def launch(spec: str, **other) -> dict:
    return {
        "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "schema": "binderhub.jupyter.org/launch",
        "version": 3,
        "provider": "GitHub",
        "spec": spec,
        "status": "success",
        "origin": "test.example.org",
        **other,
    }


def card(page: Page, kpi: str):
    return page.locator("section.card", has=page.locator(f"#q-{kpi}"))


def figure(page: Page, name: str) -> int:
    return int(page.locator(f"[data-field={name}]").inner_text().replace(",", ""))


@pytest.mark.parametrize("scheme", list(GROUNDS))
def test_charts_are_drawn_and_nothing_is_wider_than_the_screen(open_page, screenshot, scheme):
    page = open_page("/?audience=public", scheme=scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for kpi in ["launches", "top-repos"]:
            shown = card(page, kpi).evaluate(SHOWN_MARKS)
            assert shown["charts"] == 1 and shown["titles"] == 1, (kpi, shown)
            assert shown["marks"] > 0 and shown["labels"] > 2, (kpi, shown)
            expect(card(page, kpi).locator("p.figure")).to_contain_text(re.compile(r"\d"))
            expect(card(page, kpi).locator("p.read")).to_contain_text(re.compile(r"\w+"))
        content, window = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert content <= window, "the page scrolls sideways"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUNDS[scheme]
        screenshot(page, f"home-{width}-{scheme}")


def test_another_range_is_another_chart_and_another_address(open_page):
    page = open_page("/?audience=public")
    charts = lambda: card(page, "launches").inner_html()
    before = charts()
    menu = page.get_by_role("navigation", name="Time range")
    menu.locator("summary").click()
    menu.get_by_role("link", name="All time", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]range=all"))
    assert charts() != before
    expect(menu.locator("summary")).to_contain_text("All time")
    page.go_back()
    assert charts() == before


def test_dates_are_a_range_too(open_page):
    page = open_page("/?audience=public")
    page.get_by_role("navigation", name="Time range").locator("summary").click()
    page.get_by_label("From", exact=True).fill("2021-11-01")
    page.get_by_label("Before", exact=True).fill("2021-11-02")
    page.get_by_role("button", name="Show these dates").click()
    expect(page).to_have_url(re.compile(r"from=2021-11-01&to=2021-11-02"))
    shown = card(page, "top-repos").evaluate(SHOWN_MARKS)
    assert shown["marks"] > 0, shown


def test_an_event_of_an_unknown_schema_is_seen_in_quarantine(open_page, address):
    page = open_page("/")
    before = figure(page, "quarantined")
    answer = send(address, launch("a/b/c", schema="example.org/not-registered-<b>here</b>"))
    assert answer["quarantined"] == 1, answer
    expect(page.locator("[data-field=quarantined]")).to_have_text(f"{before + 1:,}", timeout=20_000)
    page.locator("section.now").get_by_role("link", name="in quarantine").click()
    expect(page.get_by_role("main")).to_contain_text("unknown_schema")
    expect(page.get_by_role("main")).to_contain_text("not-registered-<b>here</b>")


def test_a_question_has_a_page_of_its_own_with_its_table(open_page, screenshot):
    page = open_page("/?audience=public&from=2025-06-01&to=2025-07-01")
    title = card(page, "launches").get_by_role("link").first
    question = title.inner_text()
    title.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(question)
    expect(page).to_have_url(re.compile(r"from=2025-06-01&to=2025-07-01"))
    shown = page.get_by_role("main").evaluate(SHOWN_MARKS)
    assert shown["charts"] >= 1 and shown["marks"] > 0, shown
    assert page.locator("table tbody tr").count() > 10
    screenshot(page, "question-1280-light")


def test_the_history_of_a_repository_is_shown_once_it_is_named(open_page):
    page = open_page("/?audience=public&from=2025-01-01&to=2025-07-01")
    form = card(page, "repo-history").locator("form.ask")
    form.get_by_role("textbox").fill("https://github.com/ipython/ipython-in-depth")
    form.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"ipython-in-depth"))
    shown = card(page, "repo-history").evaluate(SHOWN_MARKS)
    assert shown["charts"] == 1 and shown["marks"] > 0, shown


def test_the_archive_is_reached_from_the_page(open_page, archive, screenshot):
    page = open_page("/")
    page.get_by_role("contentinfo").get_by_role("link", name="Public archive").click()
    for heading in ["Date", "Filename", "Number of Events"]:
        expect(page.get_by_role("columnheader", name=heading)).to_be_visible()
    assert page.locator("table tr").count() > 10
    screenshot(page, "archive-1280-light", whole=False)


def test_the_keyboard_finds_the_content_first(open_page):
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_without_scripts_the_page_shows_the_same_charts(open_page):
    page = open_page("/?audience=public", scripts=False)
    expect(card(page, "launches").locator("svg:visible")).to_have_count(1)
    expect(page.locator("[data-field=events]")).to_have_text(re.compile(r"^[\d,]+$"))


# The last of all: from here on the newest launch is one of today, and ranges end with it.
def test_an_event_that_arrives_is_counted_and_named_without_a_reload(open_page, address):
    page = open_page("/")
    before = figure(page, "events")
    answer = send(address, launch("binder-examples/arrives-now/HEAD"))
    assert answer["admitted"] == 1, answer
    expect(page.locator("[data-field=events]")).to_have_text(f"{before + 1:,}", timeout=20_000)
    expect(page.locator("[data-arrivals]")).to_contain_text("binder-examples/arrives-now", timeout=20_000)
