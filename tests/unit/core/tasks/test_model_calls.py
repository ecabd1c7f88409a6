# SPDX-License-Identifier: Apache-2.0
"""What counts as a model call in a report of spans."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from remit.core.tasks.model_usage import MAX_TOKENS, ModelCall, TraceReport, calls_in

Json = Any


def span(**attributes: Json) -> dict[str, Json]:
    """A span as an SDK exports it: integers are texts in OTLP's JSON."""
    told = [
        {
            "key": f"gen_ai.{name.replace('__', '.')}",
            "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)},
        }
        for name, value in attributes.items()
    ]
    return {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "attributes": told}


CALL = span(operation__name="chat", response__model="m-1", usage__input_tokens=100, usage__output_tokens=20)


def test_a_span_with_usage_is_a_model_call() -> None:
    """By the ids of its trace and of itself; the model that answered counts before the one that was asked."""
    report = msgspec.json.decode(
        msgspec.json.encode(
            {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": [CALL]}]}]}
        ),
        type=TraceReport,
    )
    (call,), unreadable = calls_in(report.spans())
    assert call == ModelCall(
        span="5b8efff798038103d269b633813fc60c/eee19b7ec3c1b174",
        model="m-1",
        input_tokens=100,
        output_tokens=20,
    )
    assert (call.tokens, unreadable) == (120, 0)


@pytest.mark.parametrize(
    "other",
    [
        span(operation__name="invoke_agent", usage__input_tokens=100),
        span(operation__name="chat", request__model="m-1"),
        {"traceId": "5b8e", "spanId": "eee1"},
    ],
)
def test_a_span_that_is_no_model_call_counts_nothing(other: Json) -> None:
    """One that sums up others would count them twice."""
    assert calls_in([other]) == ([], 0)


@pytest.mark.parametrize(
    "bad",
    [
        span(usage__input_tokens=-1),
        span(usage__input_tokens=MAX_TOKENS + 1),
        span(usage__input_tokens="many"),
        {**CALL, "spanId": ""},
        {**CALL, "traceId": "not an id"},
        {name: value for name, value in CALL.items() if name != "spanId"},
        {**CALL, "attributes": "none"},
    ],
)
def test_what_cannot_be_read_is_counted_as_rejected(bad: Json) -> None:
    """The rest of the report counts."""
    calls, unreadable = calls_in([bad, CALL])
    assert ([one.tokens for one in calls], unreadable) == ([120], 1)


def test_a_span_that_is_twice_in_a_report_counts_once() -> None:
    """Exporters repeat themselves."""
    assert len(calls_in([CALL, CALL])[0]) == 1


@pytest.mark.parametrize(
    ("read", "cached", "put", "total"), [(100, 60, 30, 100), (100, 100, 0, 100), (10, 60, 30, 100)]
)
def test_what_a_cache_held_is_part_of_the_input(read: int, cached: int, put: int, total: int) -> None:
    """Also where an instrumentation leaves it out, as the numbers then show."""
    told = span(
        usage__input_tokens=read,
        usage__cache_read__input_tokens=cached,
        usage__cache_creation__input_tokens=put,
    )
    (one,), _ = calls_in([told])
    assert (one.input_tokens, one.cached_tokens, one.cache_write_tokens) == (total, cached, put)
