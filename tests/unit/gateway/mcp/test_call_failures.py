# SPDX-License-Identifier: Apache-2.0
"""What a model and a program read of a call that failed."""

import json
from typing import Any

import pytest

from remit.gateway.mcp.call_failures import META, failed_call, is_failed_call
from remit.gateway.mcp.messages import (
    APPROVAL_REQUIRED,
    BUSY,
    CANCELLED,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    REFUSED,
    TASK_ENDED,
    UNAUTHENTICATED,
    UPSTREAM_FAILED,
    WireFault,
    bad_params,
)

Json = Any
REASONS: Json = [
    {"code": "flow", "text": "the recipient is new", "rule": "flow-recipient"},
    {"code": "flow", "text": "the amount is new", "rule": "flow-amount"},
]


def told(fault: WireFault, *, modern: bool = True, schema: bool = False) -> dict[str, Json]:
    """Return the result that tells a fault of `send`."""
    return json.loads(failed_call(fault, "send", modern=modern, schema=schema))  # type: ignore[no-any-return]


def text(fault: WireFault) -> str:
    """Return the text for the model."""
    return str(told(fault)["content"][0]["text"])


def test_a_refusal_names_every_rule_what_helps_and_the_decision() -> None:
    """The text is complete by itself, because some clients show nothing else."""
    fault = WireFault(
        "the recipient is new", REFUSED, code="flow", remediation="name the recipient in the request",
        data={"decision": "dec_1", "rule": "flow-recipient", "reasons": REASONS},
    )  # fmt: skip
    said = text(fault)
    for needed in ("`send`", "recipient is new", "flow-recipient", "amount is new", "flow-amount"):
        assert needed in said
    assert "name the recipient in the request" in said
    assert "remit explain dec_1" in said


def test_a_waiting_call_says_how_to_wait() -> None:
    """The approval, until when, and that the same call gets the answer."""
    data = {"decision": "dec_1", "approval": "apr_1", "expires": "2026-01-01T12:00:00+00:00"}
    fault = WireFault("needs a person", APPROVAL_REQUIRED, code="approval-required", data=data)
    said = text(fault)
    assert "remit approve apr_1" in said
    assert "2026-01-01T12:00:00+00:00" in said
    assert "same call again" in said
    assert told(fault)["structuredContent"]["status"] == "waiting"


@pytest.mark.parametrize(
    ("outcome", "words"), [("not-sent", "nothing has happened"), ("unknown", "may have")]
)
def test_a_failure_says_whether_it_may_have_taken_effect(outcome: str, words: str) -> None:
    """A model must know whether it can repeat the call."""
    assert words in text(WireFault("it broke", UPSTREAM_FAILED, code="upstream", data={"outcome": outcome}))


def test_values_are_where_no_schema_is_applied_to_them() -> None:
    """With an output schema they are in `_meta` alone: the official TypeScript client refuses others."""
    fault = WireFault("no", REFUSED, code="refused")
    assert told(fault)["structuredContent"] == told(fault)["_meta"][META]
    with_schema = told(fault, schema=True)
    assert "structuredContent" not in with_schema
    assert with_schema["_meta"][META]["code"] == "refused"


def test_an_unknown_tool_has_the_same_answer_whether_it_has_a_schema() -> None:
    """The place of the values would say that the tool exists for others."""
    fault = WireFault("Unknown tool: send", INVALID_PARAMS, code="unknown-tool")
    assert told(fault, schema=True) == told(fault, schema=False)
    assert "structuredContent" not in told(fault)


def test_the_newer_revision_has_a_result_type() -> None:
    """Sessions of the older revisions have none."""
    fault = WireFault("no", REFUSED, code="refused")
    assert told(fault)["resultType"] == "complete"
    assert "resultType" not in told(fault, modern=False)


@pytest.mark.parametrize("code", [REFUSED, APPROVAL_REQUIRED, TASK_ENDED, UPSTREAM_FAILED, BUSY])
def test_what_happens_to_a_call_is_its_result(code: int) -> None:
    """The run of an agent goes on after it."""
    assert is_failed_call(WireFault("no", code, code="some"))


def test_what_is_wrong_with_the_message_is_an_error() -> None:
    """An unusable message, a bad token, a cancelled request: no model could act on these."""
    for code in (HEADER_MISMATCH, METHOD_NOT_FOUND, UNAUTHENTICATED, CANCELLED):
        assert not is_failed_call(WireFault("no", code, code="some"))
    assert not is_failed_call(bad_params("`name` must be a string"))
    assert not is_failed_call(WireFault("no", TASK_ENDED, code="no-task"))
    assert is_failed_call(WireFault("Unknown tool: x", INVALID_PARAMS, code="unknown-tool"))
