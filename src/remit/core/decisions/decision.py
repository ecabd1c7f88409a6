# SPDX-License-Identifier: Apache-2.0
"""Decisions: permit, deny, or defer to a person, each with its reasons."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.decisions.approvers import ApproverDemand
from remit.core.decisions.bounds import BoundedOffer, NarrowerCall
from remit.core.decisions.question import QuestionedValue
from remit.core.errors import RemitError


class Outcome(enum.StrEnum):
    """The outcome of a decision."""

    PERMIT = "permit"
    DENY = "deny"
    DEFER = "defer"


# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_PERMIT, _DENY, _DEFER = Outcome.PERMIT, Outcome.DENY, Outcome.DEFER


class RuleRef(msgspec.Struct, frozen=True, order=True):
    """One exact rule: its id and the digest of its text. An approval waives rules by this pair."""

    id: str
    digest: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of a decision.

    `code` is stable; `rule` names the deciding policy or grant; `text` is for people; `remediation` states
    what would make the call permitted, where this leaks nothing. `step` is the step of the call (1 to 9).
    """

    code: str
    text: str
    rule: str = ""
    remediation: str = ""
    step: int = 4
    argument: str = ""


class PolicyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The policy engine's answer to one request.

    `permits` are the rules that permit; `forbids` those that forbid and cannot be waived; `waivable` those
    that forbid unless a person approves (`@otherwise("approval")`). `errors` is not empty when any rule
    failed, the request did not fit the schema, or an entity was missing: then the answer is a refusal,
    whatever the other fields contain. `flow` lists, as (rule, fact), the facts of the call's flow that the
    forbidding rules have read: `destination`, `provenance.to`. `most_calls` and `most_high_risk` are the most
    calls that one approval may permit by all the rules of `waivable`; below 2: just the one. `obligations`
    are those of all permitting rules (`core.decisions.obligations`); `asking` are the permitting rules that
    count only once a person has approved the call. `approvers` are the people that the rules that ask
    demand; empty: one approver.
    """

    permits: tuple[RuleRef, ...] = ()
    forbids: tuple[RuleRef, ...] = ()
    waivable: tuple[RuleRef, ...] = ()
    reasons: tuple[Reason, ...] = ()
    errors: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    flow: tuple[tuple[str, str], ...] = ()
    most_calls: int = 0
    most_high_risk: int = 0
    asking: tuple[RuleRef, ...] = ()
    approvers: tuple[ApproverDemand, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one access request.

    `rules` are the deciding rules: on Permit the permitting ones, on Deny the forbidding ones, on Defer
    exactly the set that an approval would waive. `waived` are the rules that an approval waived, and
    `approval` names the approval. `observed` is true when a refusal was recorded but not enforced. `bundle`
    is the digest of the configuration behind the decision. `valid_until` is set on a permit for a call that
    another party carries out: that permit is outside the fence, and is void after that moment. `questioned`
    are the values that a Defer asks a person about, and `offer` is what an answer may permit beyond this
    call. `approval_left` is the number of further calls under a bounded approval that permits this one.
    `instead` is the narrower call that an approver has permitted in place of a refused one. `approvers` are
    the people that a Defer waits for; empty: one approver.
    """

    id: str
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    rules: tuple[RuleRef, ...] = ()
    waived: tuple[RuleRef, ...] = ()
    approval: str = ""
    obligations: tuple[str, ...] = ()
    bundle: str = ""
    observed: bool = False
    valid_until: datetime | None = None
    questioned: tuple[QuestionedValue, ...] = ()
    offer: BoundedOffer | None = None
    approval_left: int | None = None
    instead: NarrowerCall | None = None
    approvers: tuple[ApproverDemand, ...] = ()

    @property
    def proceeds(self) -> bool:
        """Whether the call may go on: permitted, or refused under observe mode."""
        return self.outcome is _PERMIT or self.observed


def weigh(answer: PolicyAnswer, waived: frozenset[RuleRef]) -> tuple[Outcome, tuple[RuleRef, ...]]:
    """Turn a policy answer into an outcome and its deciding rules; forbid wins, default deny.

    A Defer requires that every satisfied forbid is waivable and that a rule permits the call without them.
    `waived` holds the rules that an approval has waived; a waivable rule outside this set defers again, and
    so does a permitting rule that asks a person.
    """
    if answer.errors:
        return _DENY, answer.forbids
    if answer.forbids:
        return _DENY, answer.forbids
    if not answer.permits:
        return _DENY, ()
    asked = (*answer.waivable, *answer.asking) if answer.asking else answer.waivable
    if any(rule not in waived for rule in asked):
        return _DEFER, asked
    return _PERMIT, answer.permits


def overtaken(decision: Decision, by: RemitError) -> Decision:
    """Turn a decision that could not be recorded, because another event came first, into a refusal."""
    reason = Reason(code=by.code, text=by.message, remediation=by.remediation, step=5)
    return msgspec.structs.replace(
        decision,
        outcome=_DENY,
        reasons=(*decision.reasons, reason),
        approval="",
        approval_left=None,
        obligations=(),
        waived=(),
        observed=False,
    )
