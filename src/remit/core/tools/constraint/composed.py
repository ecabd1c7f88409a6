# SPDX-License-Identifier: Apache-2.0
"""Constraints composed of other constraints, and the two that ignore the value: `anything`,
`NotUnderstood`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import NO, UNDECIDABLE, YES, Constraint, Verdict, conjunction


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AllOf(Constraint):
    """Every one of these constraints permits the value. If one is undecidable, the whole is."""

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
    """At least one of these constraints permits the value, whatever the others answer."""

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
        """Return the reason of the only part; for several parts `describe` suffices."""
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
    """The inner constraint understood the value and answered `NO`; an undecidable value is refused.

    A list of forbidden values is never complete. Prefer to list what is permitted.
    """

    part: Constraint
    kind: ClassVar[str] = "not"

    def judge(self, value: Json) -> Verdict:
        """Swap `YES` and `NO`, and keep `UNDECIDABLE`."""
        one = self.part.judge(value)
        return one if one is UNDECIDABLE else NO if one is YES else YES

    def why(self, value: Json) -> str:
        """Explain that the inner constraint was undecidable, if so."""
        if self.part.judge(value) is UNDECIDABLE:
            return self.part.why(value) or "is too similar to a forbidden value"
        return ""

    def argument(self) -> Json:
        """Return the inner constraint."""
        return self.part.spec()

    def describe(self) -> str:
        """Negate the description of the inner constraint."""
        return "not " + self.part.describe()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Anything(Constraint):
    """Permits every value, and an absent argument."""

    kind: ClassVar[str] = "anything"
    may_be_absent: ClassVar[bool] = True

    def judge(self, value: Json) -> Verdict:
        """Permit."""
        return YES

    def argument(self) -> Json:
        """Return an empty mapping."""
        return {}

    def describe(self) -> str:
        """Return a fixed description."""
        return "be anything"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OptionalArgument(Constraint):
    """The argument (or field) may be absent; if present, even as `null`, the inner constraint judges."""

    part: Constraint
    kind: ClassVar[str] = "optional"
    may_be_absent: ClassVar[bool] = True

    def judge(self, value: Json) -> Verdict:
        """Judge by the inner constraint."""
        return self.part.judge(value)

    def why(self, value: Json) -> str:
        """Return the reason of the inner constraint."""
        return self.part.why(value)

    def argument(self) -> Json:
        """Return the inner constraint."""
        return self.part.spec()

    def describe(self) -> str:
        """Add that the argument may be absent."""
        return f"be absent or {self.part.describe()}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NotUnderstood(Constraint):
    """A constraint that this version does not know, kept unchanged; neither it nor its negation permits."""

    raw: Json
    kind: ClassVar[str] = ""

    def judge(self, value: Json) -> Verdict:
        """Return `UNDECIDABLE`."""
        return UNDECIDABLE

    def why(self, value: Json) -> str:
        """Explain that the constraint, not the value, is the reason."""
        return "has a constraint that this version does not support"

    def argument(self) -> Json:
        """Return the constraint's original content."""
        return self.raw

    def spec(self) -> Json:
        """Return the constraint's original content."""
        return self.raw

    def describe(self) -> str:
        """Return a fixed description."""
        return "satisfy a constraint that this version does not support"
