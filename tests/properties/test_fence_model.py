# SPDX-License-Identifier: Apache-2.0
"""The protocol of the fence keeps its promises in every state of a small instance, and needs each rule."""

import pytest

from tests.samples.fence_model import MUTATIONS, explore


def test_the_protocol_keeps_its_promises_in_every_run() -> None:
    """Whatever is late, lost, paused for ever, buried, or runs slow: no state breaks one."""
    run = explore()
    assert not run.broken, "\n".join((run.broken, *run.trace))
    assert run.states > 50_000


@pytest.mark.parametrize("rule", MUTATIONS)
def test_without_one_of_its_rules_it_does_not(rule: str) -> None:
    """So the explorer can find what is wrong, and no rule is there for nothing."""
    run = explore(without=rule)
    assert run.broken, f"nothing breaks: {rule}"
    assert run.trace
