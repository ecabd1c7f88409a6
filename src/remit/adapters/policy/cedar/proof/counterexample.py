# SPDX-License-Identifier: Apache-2.0
"""Reads the call that the symbolic compiler prints, for which a statement does not hold.

The program prints Cedar expressions. Cedar's own parser reads them: each is put into a policy, and its JSON
form is taken.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import cedarpy

from remit.adapters.policy.cedar.expressions import part
from remit.core.json_value import Json
from remit.core.policy.proof import FactPath, PossibleCall

_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_HEAD: Final = re.compile(
    rf"^principal: (Agent::{_TEXT}), action: Action::{_TEXT}, resource: (Tool::{_TEXT})", re.MULTILINE
)
_CONTEXT: Final = re.compile(r"^context: (.*)$", re.MULTILINE)
_GROUP: Final = re.compile(rf"Group::({_TEXT})")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PIECE: Final = re.compile(r"([0-9]+)(ms|d|h|m|s)")


class UnreadableExample(Exception):
    """Raised for a call of an unknown form; it proves nothing then."""


def read(text: str, paths: tuple[FactPath, ...]) -> PossibleCall:
    """Return the call of a printed counterexample, whose `paths` rules read; raise `UnreadableExample`."""
    head, context = _HEAD.search(text), _CONTEXT.search(text)
    if head is None or context is None:
        raise UnreadableExample("Cedar's compiler prints a call in an unknown form")
    agent, ancestors = _entity(text, head.group(1))
    tool, _ = _entity(text, head.group(2))
    groups = tuple(sorted(json.loads(one) for one in _GROUP.findall(ancestors)))
    return PossibleCall(agent, groups, str(tool["state"]), _record(context.group(1)), paths)


def _entity(text: str, uid: str) -> tuple[dict[str, Json], str]:
    """Return the attributes of an entity and the text of its ancestors."""
    found = re.search(
        rf"^  {re.escape(uid)}( in \[[^\n]*\])?(?: (\{{.*?^  \}}))?,$", text, re.MULTILINE | re.DOTALL
    )
    if found is None or found.group(2) is None:
        raise UnreadableExample("Cedar's compiler does not print the agent or the tool of the call")
    return _record(found.group(2)), found.group(1) or ""


def _record(expression: str) -> dict[str, Json]:
    policy = f"permit(principal, action, resource) when {{ {expression} == {{}} }};"
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(policy))
        (policy,) = parsed["staticPolicies"].values()
        return dict(_value(policy["conditions"][0]["body"]["=="]["left"]))
    except (ValueError, KeyError, TypeError) as fault:
        raise UnreadableExample("Cedar's compiler prints a value in an unknown form") from fault


def _value(node: Json) -> Any:
    """Return the value that an expression is: a decimal as a number, a time as a `datetime`."""
    name, body = part(node)
    if name == "Value":
        return body
    if name == "neg":
        return -_value(body["arg"])
    if name == "Record":
        return {key: _value(one) for key, one in body.items()}
    if name == "Set":
        return [_value(one) for one in body]
    if name == "decimal":
        return float(_value(body[0]))
    if name in ("datetime", "offset"):
        return _moment(node)
    raise UnreadableExample(f"Cedar's compiler prints a value of the unknown form `{name}`")


def _moment(node: Json) -> datetime:
    name, body = part(node)
    try:
        if name == "datetime":
            return datetime.fromisoformat(_value(body[0])).astimezone(UTC)
        return _moment(body[0]) + _span(_value(part(body[1])[1][0]))
    except OverflowError:
        raise UnreadableExample("the call is at a time that remit does not have") from None


def _span(text: str) -> timedelta:
    found = timedelta(**{_UNITS[unit]: int(number) for number, unit in _PIECE.findall(text)})
    return -found if text.startswith("-") else found
