# SPDX-License-Identifier: Apache-2.0
"""What every engine reports about the rules that spoke: references, reasons, and the facts that they read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from remit.adapters.policy.types import Path
from remit.core.decisions.approvers import ApproverDemand, joined
from remit.core.decisions.decision import PolicyAnswer, Reason, RuleRef
from remit.core.decisions.obligations import STEP_UP, merged
from remit.core.tools.tool import Tool

NO_PERMIT = Reason(code="no-permit", text="no policy permits this", rule="default deny")


class StatedRule(Protocol):
    """A rule in any language."""

    @property
    def ref(self) -> RuleRef:
        """Its id and digest."""
        ...

    @property
    def permits(self) -> bool:
        """Whether it permits; otherwise it forbids."""
        ...

    @property
    def waivable(self) -> bool:
        """Whether an approver may waive it."""
        ...

    @property
    def obligations(self) -> tuple[str, ...]:
        """What it demands where it permits."""
        ...

    @property
    def approvers(self) -> ApproverDemand | None:
        """The people that it demands where it asks."""
        ...

    @property
    def reason(self) -> str:
        """What people read when it decides."""
        ...

    @property
    def remediation(self) -> str:
        """What would make the call permitted."""
        ...


def references(rules: Iterable[StatedRule]) -> tuple[RuleRef, ...]:
    """Return the references of rules."""
    return tuple(rule.ref for rule in rules)


def demanded(permits: Iterable[StatedRule]) -> tuple[str, ...]:
    """Return the obligations of the rules that permit: those of every one count."""
    return merged(rule.obligations for rule in permits)


def stepping(permits: Iterable[StatedRule]) -> tuple[RuleRef, ...]:
    """Return the permitting rules that ask a person who has just signed in strongly."""
    return tuple(rule.ref for rule in permits if STEP_UP in rule.obligations)


def demanded_of(waivable: Iterable[StatedRule], permits: Iterable[StatedRule]) -> tuple[ApproverDemand, ...]:
    """Return the people that the rules that ask demand: a rule that can be waived, or a permit that steps
    up.
    """
    asking = (*waivable, *(rule for rule in permits if STEP_UP in rule.obligations))
    return joined(rule.approvers for rule in asking if rule.approvers is not None)


def reasons_of(rules: Iterable[StatedRule], tool: Tool) -> tuple[Reason, ...]:
    """Return one reason for each rule that spoke about a call of `tool`."""
    return tuple(
        Reason(
            code="permitted" if rule.permits else "approval-needed" if rule.waivable else "forbidden",
            text=rule.reason.replace("{tool}", tool.id)
            or f"rule `{rule.ref.id}` {'permits' if rule.permits else 'forbids'} `{tool.id}`",
            rule=rule.ref.id,
            remediation=rule.remediation.replace("{tool}", tool.id),
        )
        for rule in rules
    )


def refused(why: str, remediation: str = "") -> PolicyAnswer:
    """Return the answer to a request that could not be evaluated."""
    reason = Reason(code="policy-error", text=why, remediation=remediation)
    return PolicyAnswer(errors=(why,), reasons=(reason,))


def flow_read(rules: Iterable[tuple[str, Collection[Path]]]) -> tuple[tuple[str, str], ...]:
    """Return the facts about a call's flow that rules read, each with its rule; takes ids and reads."""
    out: list[tuple[str, str]] = []
    for rule, paths in rules:
        for path in sorted(paths, key=str):
            names = [name for name in path if name is not None]
            if names[:1] == ["destination_trust"]:
                out.append((rule, "destination"))
            elif len(names) > 1 and names[0] == "flow":
                out.append((rule, names[1]))
            elif len(names) > 1 and names[0] == "provenance":
                out.append((rule, f"provenance.{names[1]}"))
    return tuple(out)
