# SPDX-License-Identifier: Apache-2.0
"""How a deferred call stands: what is read of an upstream's word, and what an agent is told of it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.decisions.deferred_call import MAX_ID, MAX_MESSAGE, OWN_CODES, Status, read_standing
from remit.core.errors import Malformed

Json = Any

GOOD: Json = {
    "taskId": "own",
    "status": "working",
    "createdAt": "2026-11-01T10:00:00Z",
    "lastUpdatedAt": "2026-11-01T10:00:01.5+01:00",
    "ttlMs": None,
    "pollIntervalMs": 250,
}


def read(**changes: Json) -> Any:
    """Read a good standing with changes."""
    return read_standing(json.dumps({**GOOD, **changes}).encode())


def told(standing: Any, **more: Json) -> Json:
    """Return what the agent is told."""
    return json.loads(standing.written("call_x", at="2026-11-02T00:00:00Z", ttl_ms=9, poll_ms=8, **more))


def test_what_is_told_has_our_handle_and_our_times() -> None:
    """Id, life and pace are remit's; when it was begun is the upstream's."""
    assert told(read(other="own")) == {
        "resultType": "complete",
        "taskId": "call_x",
        "status": "working",
        "createdAt": GOOD["createdAt"],
        "lastUpdatedAt": GOOD["lastUpdatedAt"],
        "ttlMs": 9,
        "pollIntervalMs": 8,
    }


def test_the_answer_to_the_call_itself_brings_nothing_but_the_handle() -> None:
    """A handle carries neither result nor questions, whatever the upstream put beside it."""
    made = told(read(status="completed", result={"content": []}), created=True)
    assert (made["resultType"], made["status"]) == ("task", "completed")
    assert "result" not in made


@pytest.mark.parametrize(
    ("status", "name", "value"),
    [
        ("completed", "result", {"content": [], "isError": True}),
        ("failed", "error", {"code": -32603, "message": "x"}),
        ("input_required", "inputRequests", {"a": {"method": "roots/list"}}),
    ],
)
def test_each_status_brings_its_own_and_nothing_of_the_others(status: str, name: str, value: Json) -> None:
    """What belongs to another status is dropped."""
    everything = {"result": {}, "error": {"code": 1, "message": ""}, "inputRequests": {}}
    made = told(read(status=status, **{**everything, name: value}))
    assert {key: made[key] for key in everything if key in made} == {name: value}


def test_no_upstream_speaks_with_our_error_codes() -> None:
    """An error that could pass for a refusal of remit's becomes an internal error."""
    for code in (OWN_CODES[0], -31001, OWN_CODES[-1]):
        made = told(read(status="failed", error={"code": code, "message": "m", "data": 1}))
        assert made["error"] == {"code": -32603, "message": "m", "data": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"taskId": ""},
        {"taskId": "x" * (MAX_ID + 1)},
        {"taskId": 1},
        {"status": "done"},
        {"status": "completed"},
        {"status": "completed", "result": []},
        {"status": "completed", "result": {"isError": "no"}},
        {"status": "failed"},
        {"status": "failed", "error": {"message": "x"}},
        {"status": "input_required", "inputRequests": {"a": 1}},
        {"ttlMs": "1"},
        {"statusMessage": {}},
    ],
)
def test_what_lacks_what_belongs_to_it_is_refused(changes: Json) -> None:
    """Nothing is guessed."""
    with pytest.raises(Malformed):
        read(**changes)


def test_words_and_numbers_are_bounded() -> None:
    """A message is cut, a time that is none is replaced, a life that is none is left to us."""
    standing = read(statusMessage="x" * 9999, createdAt="<script>", ttlMs=-1, pollIntervalMs=1e300)
    assert len(standing.message) == MAX_MESSAGE
    assert (standing.ttl_ms, standing.poll_ms) == (None, None)
    assert told(standing)["createdAt"] == "2026-11-02T00:00:00Z"


@pytest.mark.parametrize("status", list(Status))
def test_three_of_five_are_final(status: Status) -> None:
    """Work and questions go on; a result, an error and a cancellation do not."""
    assert status.final == (status.value in ("completed", "failed", "cancelled"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """There is no third thing."""
    with contextlib.suppress(Malformed):
        read_standing(body)
