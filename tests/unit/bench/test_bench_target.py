# SPDX-License-Identifier: Apache-2.0
"""The processes of the bench are not held up by the bench."""

import sys

import pytest

from bench.target import Child

CHATTY = "print('ready', flush=True); print('more\\n' * 100_000)"


def test_a_process_that_says_more_than_is_read_goes_on() -> None:
    """No pipe holds so much."""
    child = Child([sys.executable, "-c", CHATTY], None, speaks=True)
    try:
        assert child.line() == "ready"
        assert child.process.wait(60) == 0
        assert child.line() == "more"
    finally:
        child.stop()


def test_a_process_that_ends_before_it_speaks_is_complained_of() -> None:
    """With what it said elsewhere."""
    child = Child([sys.executable, "-c", "raise SystemExit('no port')"], None, speaks=True)
    try:
        with pytest.raises(RuntimeError, match="no port"):
            child.line()
    finally:
        child.stop()
