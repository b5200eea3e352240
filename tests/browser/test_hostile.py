"""Whatever emitters name users, hubs, repositories, origins and schemas: it is text, wherever it is shown."""

import csv
import io
import json
from urllib.request import urlopen

import pytest
from conftest import audit, drawn
from playwright.sync_api import expect
from sample import LONG, NAMES, RANGE

PATHS = [
    f"/?{RANGE}",
    f"/?audience=public&{RANGE}",
    f"/kpi/top-repos?{RANGE}",
    f"/kpi/launches-by-origin?{RANGE}",
    f"/kpi/launches-by-provider?{RANGE}",
    f"/kpi/starts?{RANGE}",
    "/data",
    "/quarantine",
]

# What turns the direction of what follows it, outside of an element that keeps it in.
LOOSE = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const loose = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!/[\\u202a-\\u202e]/.test(node.data)) continue;
    const kept = node.parentElement.closest('bdi, pre[dir=auto], [unicode-bidi=isolate]');
    if (!kept) loose.push(node.parentElement.outerHTML.slice(0, 200));
  }
  return loose;
}"""


def shown(name: str) -> str:
    """A name as a chart shows it: what turns the direction of writing is left out."""
    return name.replace("\u202e", "").replace("\u202c", "")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_hostile_is_more_than_text(open_page, hostile, path, width, screenshot):
    page = open_page(path, width=width, at=hostile)
    if "/kpi/" in path:
        drawn(page)
    assert page.locator("main b:has-text('bold')").count() == 0, "a name became an element"
    assert page.evaluate(LOOSE) == []
    content, window = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert content <= window, "a name widens the page"
    audit(page)
    screenshot(page, f"hostile-{PATHS.index(path)}-{width}")


def test_every_name_is_read_whole_in_the_table_and_in_the_chart(open_page, hostile):
    page = drawn(open_page(f"/kpi/launches-by-origin?{RANGE}", at=hostile))
    cells = set(page.locator("tbody td").all_inner_texts())
    # Hosts are the same in small letters, and counted so.
    names = [name.lower() for name in NAMES]
    assert {name for name in names if name not in cells} == set()
    canvas = page.locator(".canvas svg").text_content()
    for name in names[:4]:
        assert shown(name)[:20] in canvas, name


def test_a_ranking_names_them_in_both_charts(open_page, hostile):
    page = drawn(open_page(f"/kpi/top-repos?{RANGE}", at=hostile))
    static = " ".join(page.locator("svg.chart-page text").all_text_contents())
    canvas = page.locator(".canvas svg").text_content()
    for name in ["<b>bold<", "emoji-🎉"]:
        assert name in static and name in canvas, name


def test_a_spreadsheet_takes_no_cell_for_a_formula(hostile):
    for kpi, column in [("launches-by-origin", 1), ("top-repos", 1)]:
        text = urlopen(f"{hostile}/api/v1/kpis/{kpi}?{RANGE}&format=csv", timeout=30).read().decode()
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) > 3
        for row in rows:
            for cell in row:
                assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r"), cell
        assert all(row[-1].isdigit() for row in rows[1:] if row[-1]), "numbers stay numbers"
        if kpi == "launches-by-origin":
            assert "'" + NAMES[1].lower() in {row[column] for row in rows}


def test_quarantine_shows_what_came_word_for_word(open_page, hostile):
    page = open_page("/quarantine", at=hostile)
    main = page.get_by_role("main")
    for name in [NAMES[0], NAMES[1], LONG[:60]]:
        expect(main).to_contain_text(name)


def test_a_hostile_address_is_text_too(open_page, hostile):
    name = "%3Cb%3Ebold%3C%2Fb%3E%22%27%E2%80%AE"
    page = open_page(f"/kpi/repo-history?{RANGE}&repo=https%3A%2F%2Fgithub.com%2Fa%2F{name}", at=hostile)
    assert page.locator("b:has-text('bold')").count() == 0
    assert page.evaluate(LOOSE) == []
    answer = json.loads(urlopen(f"{hostile}/api/v1/kpis/launches-by-origin?{RANGE}", timeout=30).read())
    assert answer["rows"]
