# SPDX-License-Identifier: Apache-2.0
"""Constraints made of other constraints, and the two that look at no value: `anything`, not understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import NO, UNDECIDABLE, YES, Constraint, Verdict, conjunction


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AllOf(Constraint):
    """Every one of these constraints permits the value. If one cannot decide, the whole cannot."""

    parts: tuple[Constraint, ...]
    kind: ClassVar[str] = "all"

    def __post_init__(self) -> None:
        if not self.parts:
            raise ConfigInvalid("is empty", remediation="write `anything: {}` to permit every value")

    def judge(self, value: Json) -> Verdict:
        """Judge by all parts; `UNDECIDABLE` outweighs `NO`, so that a negation of it refuses."""
        return conjunction(part.judge(value) for part in self.parts)

    def why(self, value: Json) -> str:
        """Return the reason of the first part that does not permit."""
        for part in self.parts:
            if part.judge(value) is not YES:
                return part.why(value) or "must " + part.describe()
        return ""

    def argument(self) -> Json:
        """Return the parts."""
        return [part.spec() for part in self.parts]

    def describe(self) -> str:
        """Join the parts by "and"."""
        return " and ".join(part.describe() for part in self.parts)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnyOf(Constraint):
    """At least one of these constraints permits the value, whatever the others make of it."""

    parts: tuple[Constraint, ...]
    kind: ClassVar[str] = "any"

    def __post_init__(self) -> None:
        if not self.parts:
            raise ConfigInvalid(
                "is empty and would permit nothing", remediation="list at least one constraint"
            )

    def judge(self, value: Json) -> Verdict:
        """Judge until a part permits; otherwise `UNDECIDABLE` outweighs `NO`."""
        verdict = NO
        for part in self.parts:
            one = part.judge(value)
            if one is YES:
                return YES
            if one is UNDECIDABLE:
                verdict = UNDECIDABLE
        return verdict

    def why(self, value: Json) -> str:
        """Return the reason of the only part; of several, `describe` says it all."""
        return self.parts[0].why(value) if len(self.parts) == 1 else ""

    def argument(self) -> Json:
        """Return the parts."""
        return [part.spec() for part in self.parts]

    def describe(self) -> str:
        """Join the parts by "or"."""
        return ("either " if len(self.parts) > 1 else "") + " or ".join(
            part.describe() for part in self.parts
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(Constraint):
    """The constraint inside understood the value and said `NO`; what it cannot decide is refused.

    A list of what is forbidden is never complete. Prefer to say what is permitted.
    """

    part: Constraint
    kind: ClassVar[str] = "not"

    def judge(self, value: Json) -> Verdict:
        """Turn `YES` and `NO` around, and keep `UNDECIDABLE`."""
        one = self.part.judge(value)
        return one if one is UNDECIDABLE else NO if one is YES else YES

    def why(self, value: Json) -> str:
        """Say so where the part could not decide."""
        if self.part.judge(value) is UNDECIDABLE:
            return self.part.why(value) or "is too similar to a forbidden value"
        return ""

    def argument(self) -> Json:
        """Return the constraint inside."""
        return self.part.spec()

    def describe(self) -> str:
        """Negate the words of the constraint inside."""
        return "not " + self.part.describe()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Anything(Constraint):
    """Every value, and no value at all."""

    kind: ClassVar[str] = "anything"
    may_be_absent: ClassVar[bool] = True

    def judge(self, value: Json) -> Verdict:
        """Permit."""
        return YES

    def argument(self) -> Json:
        """Return an empty mapping."""
        return {}

    def describe(self) -> str:
        """Say so."""
        return "be anything"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OptionalArgument(Constraint):
    """The argument (or field) may be absent; if present, even as `null`, the constraint inside judges."""

    part: Constraint
    kind: ClassVar[str] = "optional"
    may_be_absent: ClassVar[bool] = True

    def judge(self, value: Json) -> Verdict:
        """Judge by the constraint inside."""
        return self.part.judge(value)

    def why(self, value: Json) -> str:
        """Return the reason of the constraint inside."""
        return self.part.why(value)

    def argument(self) -> Json:
        """Return the constraint inside."""
        return self.part.spec()

    def describe(self) -> str:
        """Add that it may be absent."""
        return f"be absent or {self.part.describe()}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NotUnderstood(Constraint):
    """A constraint that this version does not know, kept as it came; neither it nor its negation permits."""

    raw: Json
    kind: ClassVar[str] = ""

    def judge(self, value: Json) -> Verdict:
        """Decide nothing."""
        return UNDECIDABLE

    def why(self, value: Json) -> str:
        """Say that the constraint is the reason, not the value."""
        return "has a constraint that this version does not support"

    def argument(self) -> Json:
        """Return what came."""
        return self.raw

    def spec(self) -> Json:
        """Return what came."""
        return self.raw

    def describe(self) -> str:
        """Say so."""
        return "satisfy a constraint that this version does not support"
