"""A question's page: the chart reads alike by pointer and keyboard, nothing moves, and the static one stays when scripts fail."""

import json
import re
from urllib.request import urlopen

import pytest
from conftest import drawn
from playwright.sync_api import expect
from sample import RANGE

IDS = ["launches", "launches-by-origin", "launches-by-provider", "stickiness", "active-users-weekly", "top-repos", "starts",
       "active-days", "concurrency-percentile", "hours-per-user"]


@pytest.mark.parametrize("kpi", IDS)
def test_the_chart_becomes_interactive_without_moving_anything(open_page, small, kpi):
    page = open_page(f"/kpi/{kpi}?{RANGE}", at=small, scripts=False)
    before = page.locator("h2").first.bounding_box()
    page = drawn(open_page(f"/kpi/{kpi}?{RANGE}", at=small))
    assert page.locator("h2").first.bounding_box() == before
    # The head of a page whose rest is still on its way may move as it comes; that is not the chart's doing.
    shift = page.evaluate(
        """() => new Promise(resolve => {
          let sum = 0;
          const isInHead = ({ node }) => (node?.closest ? node : node?.parentElement)?.closest('header') != null;
          const add = entry => { if (!entry.sources.every(isInHead)) sum += entry.value; };
          new PerformanceObserver(list => list.getEntries().forEach(add))
            .observe({ type: 'layout-shift', buffered: true });
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
        })"""
    )
    assert shift < 0.001


@pytest.mark.parametrize("kpi", IDS)
def test_pointer_and_keyboard_read_out_the_words_of_the_static_chart(open_page, small, kpi):
    page = drawn(open_page(f"/kpi/{kpi}?{RANGE}", at=small))
    spec = json.loads(urlopen(f"{small}/api/v1/kpis/{kpi}?{RANGE}&format=vega", timeout=30).read())
    words = [stop["read"] for stop in spec["usermeta"]["stops"]]
    chart = page.get_by_role("slider")
    chart.focus()
    chart.press("Home")
    seen = [chart.get_attribute("aria-valuetext")]
    for _ in words[1:]:
        chart.press("ArrowRight")
        seen.append(chart.get_attribute("aria-valuetext"))
    assert seen == words
    expect(page.locator(".read-out")).to_have_text(words[-1])
    chart.press("Escape")
    expect(page.locator(".read-out")).to_be_empty()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    expect(page.locator(".read-out")).not_to_be_empty()
    assert page.locator(".read-out").inner_text() in [" ".join(text.split()) for text in words]
    titles = page.locator("svg.chart-page title").all_text_contents()
    assert [text for text in words if not text.endswith("no data") and text not in titles] == []


def test_the_colours_follow_the_theme(open_page, small):
    page = drawn(open_page(f"/kpi/launches?{RANGE}", at=small))
    fill = lambda: page.evaluate("document.querySelector('.canvas .mark-rect.role-mark path[fill]:not([fill=none])') && "
                                 "[...document.querySelectorAll('.canvas .mark-rect path')].map(p => p.getAttribute('fill'))")
    light = fill()
    assert "#1d3f8f" in light
    page.emulate_media(color_scheme="dark")
    # A function, not a text: what is evaluated anew at each look, the page's policy forbids.
    page.wait_for_function(
        "() => [...document.querySelectorAll('.canvas .mark-rect path')].some(p => p.getAttribute('fill') === '#4d8dff')"
    )


def test_the_chart_follows_the_width(open_page, small):
    page = drawn(open_page(f"/kpi/launches?{RANGE}", at=small))
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_function(
        """() => {
          const box = document.querySelector('.canvas').getBoundingClientRect();
          const svg = document.querySelector('.canvas svg').getBoundingClientRect();
          return box.width < 700 && Math.abs(svg.width - box.width) < 2;
        }"""
    )


@pytest.mark.parametrize("lost", ["vega.min.js", "vega-interpreter.js", "format=vega"])
def test_the_static_chart_stays_when_something_is_missing(browser, small, lost):
    context = browser.new_context(base_url=small)
    page = context.new_page()
    page.route(re.compile(re.escape(lost)), lambda route: route.abort())
    page.goto(f"/kpi/launches?{RANGE}")
    page.locator("[data-chart].static").wait_for(timeout=30_000)
    expect(page.locator("svg.chart:visible")).to_have_count(1)
    expect(page.locator(".canvas:visible")).to_have_count(0)
    context.close()


def test_a_table_sorts_by_any_column_and_says_so(open_page, small):
    page = open_page(f"/kpi/launches?{RANGE}", at=small)
    numbers = lambda: [int(text.replace(",", "")) for text in page.locator("tbody td.number").all_inner_texts() if text != "–"]
    head = page.get_by_role("columnheader", name="Launches")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert numbers() == sorted(numbers(), reverse=True) and len(set(numbers())) > 3
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert numbers() == sorted(numbers())
    assert page.locator("tbody td.number").last.inner_text() == "–", "a gap is never the smallest"


def test_every_form_of_an_answer_can_be_taken_along(open_page, small):
    page = open_page(f"/kpi/launches?{RANGE}&compare=none", at=small)
    for form, begins in [("CSV", b"period,value\r\n"), ("JSON", b"{"), ("Parquet", b"PAR1"), ("SVG", b"<svg"), ("Vega-Lite", b"{")]:
        address = page.get_by_role("main").get_by_role("link", name=form, exact=True).evaluate("link => link.href")
        assert urlopen(address, timeout=30).read().startswith(begins), form
        assert "from=2026-03-02" in address and "to=2026-03-30" in address


def test_the_form_asks_with_every_parameter(open_page, small):
    page = open_page(f"/kpi/top-repos?{RANGE}&audience=public", at=small)
    page.get_by_label("Limit").fill("2")
    page.get_by_label("Compare", exact=True).select_option("none")
    page.get_by_role("button", name="Ask").click()
    expect(page).to_have_url(re.compile(r"audience=public.*limit=2|limit=2.*audience=public"))
    assert page.locator("table tbody tr").count() == 2
    expect(page.locator("p.figure")).not_to_contain_text("against")
