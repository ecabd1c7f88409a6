# SPDX-License-Identifier: Apache-2.0
"""Explanations: why a call was decided so, by which rules, and what would change the answer."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.decisions.decision import Outcome
from remit.services.identity.permissions import Duty
from remit.services.inspection.assembly import InspectionServices
from remit.services.inspection.explanation import LabelSource, PossibleChange, SpokenRule


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationRooms:
    """The rooms that these endpoints work with."""

    inspection: InspectionServices


class ExplainDecision(Body, frozen=True, kw_only=True):
    """The decision's id (`dec_...`)."""

    decision: str


class ExplanationView(View, frozen=True, kw_only=True):
    """Why a call was decided so.

    `bundle` decided, which is version `version` (0: without a number). `rules` are the rules that spoke, each
    with its text as it was then, and the facts that it read with their values; `absent` are facts that it
    reads and the call does not have. `elsewhere`: something else than a policy refused the call. `changes`
    are what the policies answer if something were otherwise: each was found by deciding the changed call,
    and `tried` is how many were. No change was tried of the facts in `not_tried`. `missing` is why the rules
    are told without facts and changes, if they are. `label` is how the task came by its label, where a rule
    that spoke has read the label.
    """

    decision: str
    outcome: Outcome
    bundle: str
    version: int
    rules: tuple[SpokenRule, ...]
    approval: str
    elsewhere: bool
    changes: tuple[PossibleChange, ...]
    tried: int
    not_tried: tuple[str, ...]
    missing: str
    label: tuple[LabelSource, ...]


async def explain(errand: RestRequest[ExplanationRooms]) -> ExplanationView:
    """Explain a decision; change nothing."""
    wanted: ExplainDecision = errand.body
    found = await errand.rooms.inspection.explanations.of(wanted.decision, by=errand.by)
    return ExplanationView(
        decision=found.decision,
        outcome=found.outcome,
        bundle=found.bundle,
        version=found.version,
        rules=found.rules,
        approval=found.approval,
        elsewhere=found.elsewhere,
        changes=found.changes,
        tried=found.tried,
        not_tried=found.not_tried,
        missing=found.missing,
        label=found.label,
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/policies/explain",
        summary="Explain a decision: each rule that spoke, the facts it read, what would change the answer",
        serve=explain,
        people=Duty.AUDIT,
        takes=ExplainDecision,
        gives=ExplanationView,
    ),
)
