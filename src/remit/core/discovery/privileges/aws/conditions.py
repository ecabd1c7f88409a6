# SPDX-License-Identifier: Apache-2.0
"""Conditions of AWS statements, in three values: facts that an export does not hold are unknown.

Source: "IAM JSON policy elements: Condition operators" and "Multivalued context keys" in the IAM user guide.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from remit.core.discovery.privileges.aws.policy import Condition, filled, glob, variables_of


class Truth(enum.IntEnum):
    """Whether something holds."""

    NO = 0
    MAYBE = 1
    YES = 2


class Holds(msgspec.Struct, frozen=True):
    """Whether conditions hold, and in words what this depends on where it is not known."""

    truth: Truth
    reasons: tuple[str, ...] = ()


#: Facts of a request by key in lower case; an empty tuple is a key that is absent. Others are unknown.
Facts = dict[str, tuple[str, ...]]
HOLDS = Holds(Truth.YES)
FAILS = Holds(Truth.NO)


def conditions_hold(conditions: tuple[Condition, ...], facts: Facts) -> Holds:
    """Return whether all conditions of a statement hold."""
    reasons: list[str] = []
    for each in conditions:
        result = _holds(each, facts)
        if result is Truth.NO:
            return FAILS
        if result is Truth.MAYBE:
            reasons.append(worded(each))
    return Holds(Truth.MAYBE, tuple(reasons)) if reasons else HOLDS


def worded(condition: Condition) -> str:
    """Return a condition in words."""
    values = " or ".join(f"`{each[:80]}`" for each in condition.values[:3]) or "nothing"
    return f"`{condition.key}` must satisfy {condition.operator} {values}"


def _holds(condition: Condition, facts: Facts) -> Truth:
    given = facts.get(condition.key)
    if condition.operator == "null":
        if given is None:
            return Truth.MAYBE
        return (
            Truth.YES
            if any((each.lower() == "true") == (not given) for each in condition.values)
            else Truth.NO
        )
    operator, negated = condition.operator, False
    if operator in _NEGATED:
        operator, negated = _NEGATED[operator], True
    test = _TESTS.get(operator)
    if test is None or given is None:
        return Truth.MAYBE
    if not given:
        return _absent(condition, negated)
    values = _values(condition, facts)
    if values is None:
        return Truth.MAYBE
    matches = [any(test(each, value) for value in values) != negated for each in given]
    return Truth.YES if (any(matches) if condition.every is False else all(matches)) else Truth.NO


def _absent(condition: Condition, negated: bool) -> Truth:
    """A missing key fails a test, passes a negated one, `IfExists` and `ForAllValues`."""
    if condition.every is not None:
        return Truth.YES if condition.every or condition.if_exists else Truth.NO
    return Truth.YES if negated or condition.if_exists else Truth.NO


def _values(condition: Condition, facts: Facts) -> list[str] | None:
    """Return the values with variables filled in; None where a variable is unknown.

    A variable without a value matches nothing.
    """
    found = []
    for each in condition.values:
        if "${" not in each:
            found.append(each)
            continue
        if any(name not in facts for name in variables_of(each) if name not in ("*", "?", "$")):
            return None
        value = filled(each, facts)
        if value is not None:
            found.append(value)
    return found


def _number(text: str) -> float | None:
    try:
        return float(text[:64])
    except ValueError:
        return None


def moment(text: str) -> datetime | None:
    """Read a date of AWS: ISO 8601, or seconds since 1970."""
    number = _number(text)
    try:
        if number is not None:
            return datetime.fromtimestamp(number, UTC)
        found = datetime.fromisoformat(text[:64])
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(given: str, value: str) -> bool:
        left, right = _number(given), _number(value)
        return left is not None and right is not None and compare(left, right)

    return test


def _dated(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    def test(given: str, value: str) -> bool:
        left, right = moment(given), moment(value)
        return left is not None and right is not None and compare(left, right)

    return test


def _address(given: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(given) in ipaddress.ip_network(value, strict=False)
    except (ValueError, TypeError):
        return False


def _arn(given: str, value: str) -> bool:
    """Each of the six parts of an ARN is matched by itself."""
    left, right = given.split(":", 5), value.split(":", 5)
    if len(right) < 6 or len(left) < 6:
        return glob(value).matches(given)
    return all(glob(pattern).matches(part) for pattern, part in zip(right, left, strict=True))


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda given, value: given == value,
    "stringequalsignorecase": lambda given, value: given.lower() == value.lower(),
    "stringlike": lambda given, value: glob(value).matches(given),
    "binaryequals": lambda given, value: given == value,
    "bool": lambda given, value: given.lower() == value.lower(),
    "arnequals": _arn,
    "arnlike": _arn,
    "ipaddress": _address,
    "numericequals": _numeric(lambda left, right: left == right),
    "numericlessthan": _numeric(lambda left, right: left < right),
    "numericlessthanequals": _numeric(lambda left, right: left <= right),
    "numericgreaterthan": _numeric(lambda left, right: left > right),
    "numericgreaterthanequals": _numeric(lambda left, right: left >= right),
    "dateequals": _dated(lambda left, right: left == right),
    "datelessthan": _dated(lambda left, right: left < right),
    "datelessthanequals": _dated(lambda left, right: left <= right),
    "dategreaterthan": _dated(lambda left, right: left > right),
    "dategreaterthanequals": _dated(lambda left, right: left >= right),
}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}
