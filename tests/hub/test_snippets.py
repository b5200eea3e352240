"""No block of code stands on a page that no test runs, and what other places tell a reader is the same."""

import html
import re
from pathlib import Path

from program import REPOSITORY
from snippets import PAGES, marked, snippet

TESTS = Path(__file__).parent
BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# How the tests name a snippet, wherever they do.
NAMED = re.compile(r'\("([\w-]+\.md)", "(\w+)"')


def test_every_block_is_a_snippet_that_a_test_names():
    there, blocks = set(), 0
    for page in PAGES.glob("*.md"):
        there |= {(page.name, name) for name in marked(page.name)}
        blocks += len(BLOCK.findall(page.read_text()))
    assert len(there) == blocks, "a block has no name, or shares it"
    named = {place for test in TESTS.glob("test_*.py") for place in NAMED.findall(test.read_text())}
    assert there == named


def test_the_readme_shows_the_lines_of_the_pages():
    shown = BLOCK.findall((REPOSITORY / "README.md").read_text())
    for page in ["jupyterhub.md", "binderhub.md"]:
        assert marked(page)["handler"] in shown, page


def test_the_first_page_shows_the_lines_with_its_own_address(hubscope):
    shown = html.unescape(hubscope.get("/"))
    assert snippet("jupyterhub.md", "handler", {"127.0.0.1:8080": hubscope.place}).strip() in shown
