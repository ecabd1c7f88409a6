# SPDX-License-Identifier: Apache-2.0
"""A newcomer's walk with four public servers and a real client: `python -m tests.adoption` measures it."""

from pathlib import Path

import pytest

from tests.adoption.walk import walk
from tests.interop.suite import NotInstalled

pytestmark = [pytest.mark.slow, pytest.mark.long]


def test_a_newcomer_comes_from_nothing_to_rules_that_fit(tmp_path: Path) -> None:
    """Few commands; ordinary work on new values passes, planted attacks do not, and one relay is enough."""
    try:
        made = walk(tmp_path, lambda _: None)
    except NotInstalled as fault:
        pytest.skip(str(fault))
    assert len(made.to_observed) <= 3
    assert len(made.to_enforced) <= 3
    assert not made.learnt.refused
    assert not made.learnt.failed
    assert not made.held_out.refused
    assert not made.held_out.failed
    assert made.held_out.per_100 <= 5
    assert [one for one in made.attacks if one.through] == []
    assert made.shared_mb < made.apart_mb
