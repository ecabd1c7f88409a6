# SPDX-License-Identifier: Apache-2.0
"""The default guardrails mean the same in Cedar and in Rego, for any facts."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.samples.decision_requests import BEGINNINGS, CHOICES, changed
from tests.samples.decision_vectors import cedar, rego, without_digests

loaded = functools.cache(lambda: (cedar(), rego()))
facts = st.lists(
    st.sampled_from(sorted(CHOICES)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(CHOICES[name]))
    ),
    max_size=25,
).map(dict)


@given(first=st.sampled_from(BEGINNINGS), more=facts)
def test_both_languages_decide_alike(first: dict[str, Any], more: dict[str, Any]) -> None:
    """Rules, reasons, remediations, errors, obligations and the facts of the flow that were read."""
    asked = changed(first | more)
    one, other = (
        msgspec.structs.replace(policy.evaluate(asked), flow=tuple(sorted(policy.evaluate(asked).flow)))
        for policy in loaded()
    )
    assert without_digests(one) == without_digests(other)
