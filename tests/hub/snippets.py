"""The snippets of the pages in docs/connect, which the tests run as they stand there."""

import re

from program import REPOSITORY

PAGES = REPOSITORY / "docs" / "connect"

# A marker on a line of its own, then the fenced block.
MARKED = re.compile(r"^<!-- snippet: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def marked(page: str) -> dict[str, str]:
    """The snippets of a page, by their names."""
    return dict(MARKED.findall((PAGES / page).read_text()))


def snippet(page: str, name: str, places: dict[str, object] | None = None) -> str:
    """A snippet, each address or file of the page replaced by that of the test. Nothing else is changed."""
    text = marked(page)[name]
    for shown, real in (places or {}).items():
        assert shown in text, f"{page}: the snippet {name} does not name {shown}"
        text = text.replace(shown, str(real))
    return text
