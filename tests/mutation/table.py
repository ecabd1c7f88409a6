# SPDX-License-Identifier: Apache-2.0
"""Which modules are mutated, and the nearest tests of each: those that run on a mutant of it."""

from typing import Final

_CONSTRAINTS = (
    "tests/unit/test_constraint.py",
    "tests/unit/test_constraint_edges.py",
    "tests/unit/test_constraint_subsets.py",
    "tests/unit/test_constraint_written.py",
    "tests/scenarios/test_argument_lookalikes.py",
)
_GRANTS = (
    "tests/unit/test_grant_edges.py",
    "tests/unit/test_grant.py",
    "tests/properties/test_attenuation.py",
)
_FLOW = (
    "tests/scenarios/test_flow_at_once.py",
    "tests/scenarios/test_flow_destinations.py",
    "tests/scenarios/test_flow_found.py",
    "tests/scenarios/test_flow_reaching.py",
    "tests/scenarios/test_flow_review.py",
    "tests/scenarios/test_flow_selectors.py",
    "tests/scenarios/test_flow_strict_reading.py",
)
_READING = (
    "tests/unit/test_provenance.py",
    "tests/unit/test_reading_once.py",
    "tests/properties/test_provenance_properties.py",
)
_SHORTCUTS = "tests/properties/test_reading_shortcuts.py"
_EVIDENCE = (
    "tests/unit/test_verification.py",
    "tests/unit/test_export.py",
    "tests/properties/test_export_attacks.py",
    "tests/vectors/remit_evidence/test_remit_evidence.py",
)
_HEADS = (
    "tests/unit/test_checkpoint.py",
    "tests/vectors/c2sp_checkpoint/test_c2sp_checkpoint.py",
    "tests/vectors/c2sp_proof/test_c2sp_proof.py",
    "tests/unit/test_services_evidence.py",
    *_EVIDENCE,
)
_ENDS = (
    "tests/scenarios/test_automatic_endings.py",
    "tests/scenarios/test_closure_walk.py",
    "tests/scenarios/test_locks.py",
    "tests/unit/test_services_child_tasks.py",
    "tests/unit/test_services_revocations.py",
    "tests/scenarios/test_leases.py",
    "tests/scenarios/test_recovery.py",
    "tests/unit/test_services_live.py",
)
_CUT_SHORT = ("tests/scenarios/test_ends_cut_short.py", *_ENDS)
_LEASES = (
    "tests/unit/test_services_leases.py",
    "tests/unit/test_reactions.py",
    "tests/scenarios/test_upstream_credentials.py",
    "tests/scenarios/test_ends_twice.py",
    "tests/scenarios/test_credentials_restart.py",
    "tests/scenarios/test_credentials_shapes.py",
    "tests/scenarios/test_leaked_credentials.py",
)
_REPLICAS = ("tests/unit/test_replica_fencing.py", "tests/unit/test_services_replicas.py")

NEAREST: Final[dict[str, tuple[str, ...]]] = {
    "core.tools.constraint.base": _CONSTRAINTS,
    "core.tools.constraint.composed": _CONSTRAINTS,
    "core.tools.constraint.subset": _CONSTRAINTS,
    "core.tools.constraint.address": _CONSTRAINTS,
    "core.tools.constraint.path": _CONSTRAINTS,
    "core.tools.constraint.text": _CONSTRAINTS,
    "core.tools.constraint.structure": _CONSTRAINTS,
    "core.tasks.grant.conjunction": _GRANTS,
    "core.tasks.grant.layer": _GRANTS,
    "core.tasks.grant.simplify": _GRANTS,
    "core.tasks.grant.template": _GRANTS,
    "core.flow.facts": (
        "tests/unit/test_flow.py",
        "tests/unit/test_provenance.py",
        *_FLOW,
    ),
    "core.flow.justification": ("tests/unit/test_provenance.py", "tests/unit/test_flow.py"),
    "core.flow.provenance": (*_READING, *_FLOW),
    "core.flow.records.record": (
        "tests/unit/test_record.py",
        "tests/unit/test_unread.py",
        "tests/unit/test_observe.py",
        f"{_SHORTCUTS}::test_a_result_is_read_like_the_first_one_of_its_tool",
        f"{_SHORTCUTS}::test_paths_of_a_tool_that_is_described_otherwise_are_forgotten",
        "tests/unit/test_provenance.py",
    ),
    "core.flow.values.strict_reading": ("tests/unit/test_exact.py", "tests/unit/test_exact_edges.py"),
    "core.flow.values.urls": ("tests/unit/test_exact.py", "tests/unit/test_exact_edges.py"),
    "core.flow.argument_values": ("tests/unit/test_leaf.py", "tests/unit/test_provenance.py"),
    "core.flow.argument_walk": ("tests/unit/test_walk.py", "tests/unit/test_provenance.py"),
    "core.label": ("tests/unit/test_label.py",),
    "core.evidence.merkle": (
        "tests/properties/test_merkle_properties.py",
        "tests/vectors/rfc6962/test_rfc6962.py",
        "tests/vectors/c2sp_proof/test_c2sp_proof.py",
    ),
    "core.evidence.export": _EVIDENCE,
    "core.evidence.verification": _EVIDENCE,
    "core.sealing": ("tests/unit/test_seal.py", *_EVIDENCE),
    "core.evidence.checkpoint": _HEADS,
    "core.oauth.dpop": ("tests/unit/test_dpop.py", "tests/vectors/rfc9449/test_rfc9449.py"),
    "core.oauth.access_token": (
        "tests/unit/test_token.py",
        "tests/properties/test_tokens.py",
        "tests/vectors/rfc8693/test_rfc8693.py",
    ),
    "core.endings.closure": ("tests/unit/test_revocation.py", *_ENDS),
    "services.decisions.authorizer": (
        "tests/unit/test_services_authorize.py",
        "tests/unit/test_services_approvals.py",
        "tests/unit/test_services_plans.py",
        "tests/unit/test_review_words.py",
        "tests/scenarios/test_observe_mode.py",
        "tests/scenarios/test_flow_release.py",
        "tests/scenarios/test_flow_evidence.py",
        "tests/scenarios/test_policy_errors_refuse.py",
    ),
    "services.endings.completion": _CUT_SHORT,
    "services.endings.ending": _CUT_SHORT,
    "services.endings.task_ends": _CUT_SHORT,
    "services.endings.unclosed_ends": _CUT_SHORT,
    "core.replicas.replica": _REPLICAS,
    "services.replicas.replica_lease": _REPLICAS,
    "services.replicas.task_ownership": ("tests/unit/test_ownership.py",),
    "services.endings.remote_endings": ("tests/unit/test_reactions.py",),
    "services.tasks.calls_in_flight": (
        "tests/unit/test_services_live.py",
        "tests/unit/test_reactions.py",
        "tests/unit/test_services_revocations.py",
    ),
    "services.credentials.leases": _LEASES,
    "services.credentials.revocation": _LEASES,
}
