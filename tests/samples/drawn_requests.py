# SPDX-License-Identifier: Apache-2.0
"""Requests that Hypothesis draws: other agents, tools, arguments, labels and parameters of a task."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from remit.core.decisions.access_request import AccessRequest
from remit.core.label import Label, Trust
from remit.core.tools.tool import Tool
from tests.samples.policy_requests import DEPLOY, DRAFT, PAY, READ, agent, request

AGENTS = (agent("clerk", "legal"), agent("legal", "bots"), agent("lone"), agent("both", "legal", "bots"))


@st.composite
def requests(draw: st.DrawFn) -> AccessRequest:
    """A request that fits the schema."""
    calls: list[tuple[Tool, dict[str, Any]]] = [
        (READ, {"path": "C-42"}),
        (READ, {"path": "D-1", "lines": 7}),
        (DRAFT, {"title": "x", "body": "y"}),
        (DEPLOY, {"change": "c"}),
        (PAY, {"to": "z", "amount": 10.75, "tags": ["x"]}),
        (PAY, {"to": "z", "amount": 2}),
    ]
    tool, arguments = draw(st.sampled_from(calls))
    label = Label(
        categories=frozenset(draw(st.sets(st.sampled_from(["pii", "secret"])))),
        trust=draw(st.sampled_from(Trust)),
    )
    params = draw(st.sampled_from([{}, {"contract": "C-42"}]))
    by = draw(st.sampled_from(AGENTS))
    return request(tool, arguments, by, label=label, cleared=draw(st.booleans()), params=params)
