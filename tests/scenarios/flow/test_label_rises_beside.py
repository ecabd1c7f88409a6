# SPDX-License-Identifier: Apache-2.0
"""A call that was decided before another one read more does not carry that out through its upstream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core.label import Classes, Label, Trust
from remit.services.tasks.live_tasks import LiveTask
from tests.worlds.values import a_task, an_agent

CLASSES = Classes()
LABELS = st.builds(Label, data_class=st.sampled_from(CLASSES.order), trust=st.sampled_from(list(Trust)))


def a_live_task(label: Label) -> LiveTask:
    """Return a bound task that carries `label`."""
    live = LiveTask(a_task("t"), an_agent(), used={}, ancestors={}, now_boot_s=0.0, key=bytes(32))
    live.label = label
    return live


@given(LABELS, LABELS, LABELS)
def test_only_a_rise_beside_the_call_itself_is_noticed(decided: Label, own: Label, other: Label) -> None:
    """What the call's own result raises is not a reason to decide again; what another call raises is."""
    live = a_live_task(decided)
    live.rise(own, CLASSES)
    assert not live.rose_beside(decided, own, CLASSES)
    rose = live.rise(other, CLASSES)
    assert live.rose_beside(decided, own, CLASSES) is rose
