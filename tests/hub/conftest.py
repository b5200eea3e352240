"""Real programs, connected to the real one by the lines of docs/connect.

Every file of tests has a hubscope and a program to itself; the tests in it share them, each with users of its own.
"""

import pytest

from serve import Serve


@pytest.fixture(scope="module")
def hubscope(tmp_path_factory):
    """A running hubscope that flushes and publishes at once, so that what a test sees has gone the whole way."""
    serve = Serve(
        tmp_path_factory.mktemp("hubscope"),
        HUBSCOPE_STORE__FLUSH_INTERVAL="1 s",
        HUBSCOPE_STORE__COMMIT_INTERVAL="1 s",
        HUBSCOPE_ARCHIVE__INTERVAL="1 s",
    )
    yield serve
    serve.end()
