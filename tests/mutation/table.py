# SPDX-License-Identifier: Apache-2.0
"""Which modules are mutated, and the nearest tests of each: those that run on a mutant of it."""

from typing import Final

_CONSTRAINTS = (
    "tests/unit/core/tools/test_constraint.py",
    "tests/unit/core/tools/test_constraint_edges.py",
    "tests/unit/core/tools/test_constraint_subsets.py",
    "tests/unit/core/tools/test_constraint_written.py",
    "tests/scenarios/tools/test_argument_lookalikes.py",
)
_GRANTS = (
    "tests/unit/core/tasks/test_grant_edges.py",
    "tests/unit/core/tasks/test_grant.py",
    "tests/properties/test_attenuation.py",
)
_FLOW = (
    "tests/scenarios/flow/test_flow_at_once.py",
    "tests/scenarios/flow/test_flow_destinations.py",
    "tests/scenarios/flow/test_flow_other_purpose.py",
    "tests/scenarios/flow/test_flow_reaching.py",
    "tests/scenarios/flow/test_flow_evasion.py",
    "tests/scenarios/flow/test_flow_selectors.py",
    "tests/scenarios/flow/test_flow_strict_reading.py",
)
_READING = (
    "tests/unit/core/flow/test_provenance.py",
    "tests/unit/core/flow/test_reading_once.py",
    "tests/properties/test_provenance_properties.py",
)
_SHORTCUTS = "tests/properties/test_reading_shortcuts.py"
_EVIDENCE = (
    "tests/unit/core/evidence/test_verification.py",
    "tests/unit/core/evidence/test_export.py",
    "tests/properties/test_export_attacks.py",
    "tests/vectors/remit_evidence/test_remit_evidence.py",
)
_HEADS = (
    "tests/unit/core/evidence/test_checkpoint.py",
    "tests/vectors/c2sp_checkpoint/test_c2sp_checkpoint.py",
    "tests/vectors/c2sp_proof/test_c2sp_proof.py",
    "tests/unit/services/evidence/test_evidence_log.py",
    *_EVIDENCE,
)
_ENDS = (
    "tests/scenarios/endings/test_automatic_endings.py",
    "tests/scenarios/endings/test_closure_walk.py",
    "tests/scenarios/endings/test_locks.py",
    "tests/unit/services/tasks/test_child_tasks.py",
    "tests/unit/services/endings/test_ending.py",
    "tests/scenarios/endings/test_leases.py",
    "tests/scenarios/store/test_recovery.py",
    "tests/unit/services/tasks/test_live_tasks.py",
)
_CUT_SHORT = ("tests/scenarios/endings/test_ends_cut_short.py", *_ENDS)
_LEASES = (
    "tests/unit/services/credentials/test_upstream_leases.py",
    "tests/unit/services/endings/test_remote_endings.py",
    "tests/scenarios/credentials/test_upstream_credentials.py",
    "tests/scenarios/endings/test_ends_twice.py",
    "tests/scenarios/credentials/test_credentials_restart.py",
    "tests/scenarios/credentials/test_credentials_shapes.py",
    "tests/scenarios/credentials/test_leaked_credentials.py",
)
_REPLICAS = (
    "tests/unit/services/replicas/test_replica_fencing.py",
    "tests/unit/services/replicas/test_replica_lease.py",
)

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
        "tests/unit/core/flow/test_facts.py",
        "tests/unit/core/flow/test_provenance.py",
        *_FLOW,
    ),
    "core.flow.justification": (
        "tests/unit/core/flow/test_provenance.py",
        "tests/unit/core/flow/test_facts.py",
    ),
    "core.flow.provenance": (*_READING, *_FLOW),
    "core.flow.records.record": (
        "tests/unit/core/flow/test_record.py",
        "tests/unit/core/flow/test_unread_fields.py",
        "tests/unit/services/flow/test_observation.py",
        f"{_SHORTCUTS}::test_a_result_is_read_like_the_first_one_of_its_tool",
        f"{_SHORTCUTS}::test_paths_of_a_tool_that_is_described_otherwise_are_forgotten",
        "tests/unit/core/flow/test_provenance.py",
    ),
    "core.flow.values.strict_reading": (
        "tests/unit/core/flow/test_strict_reading.py",
        "tests/unit/core/flow/test_strict_reading_edges.py",
    ),
    "core.flow.values.urls": (
        "tests/unit/core/flow/test_strict_reading.py",
        "tests/unit/core/flow/test_strict_reading_edges.py",
    ),
    "core.flow.arguments.argument_values": (
        "tests/unit/core/flow/test_argument_values.py",
        "tests/unit/core/flow/test_provenance.py",
    ),
    "core.flow.arguments.argument_walk": (
        "tests/unit/core/flow/test_argument_walk.py",
        "tests/unit/core/flow/test_provenance.py",
    ),
    "core.label": ("tests/unit/core/test_label.py",),
    "core.evidence.merkle": (
        "tests/properties/test_merkle_properties.py",
        "tests/vectors/rfc6962/test_rfc6962.py",
        "tests/vectors/c2sp_proof/test_c2sp_proof.py",
    ),
    "core.evidence.export": _EVIDENCE,
    "core.evidence.verification": _EVIDENCE,
    "core.sealing": ("tests/unit/core/test_sealing.py", *_EVIDENCE),
    "core.evidence.checkpoint": _HEADS,
    "core.oauth.dpop": ("tests/unit/core/oauth/test_dpop.py", "tests/vectors/rfc9449/test_rfc9449.py"),
    "core.oauth.access_token": (
        "tests/unit/core/oauth/test_access_token.py",
        "tests/properties/test_tokens.py",
        "tests/vectors/rfc8693/test_rfc8693.py",
    ),
    "core.endings.closure": ("tests/unit/core/endings/test_closure_values.py", *_ENDS),
    "services.decisions.authorizer": (
        "tests/unit/services/decisions/test_authorizer.py",
        "tests/unit/services/decisions/test_approvals.py",
        "tests/unit/services/decisions/test_plan_changes.py",
        "tests/unit/core/flow/test_words_of_others.py",
        "tests/scenarios/decisions/test_observe_mode.py",
        "tests/scenarios/flow/test_flow_release.py",
        "tests/scenarios/flow/test_flow_evidence.py",
        "tests/scenarios/policy/test_policy_errors_refuse.py",
    ),
    "services.decisions.approval_lookups": (
        "tests/unit/services/decisions/test_approvals.py",
        "tests/scenarios/decisions/test_bounded_approvals.py",
        "tests/scenarios/decisions/test_narrowed_approvals.py",
        "tests/scenarios/decisions/test_overtaken_approvals.py",
    ),
    "core.decisions.narrowing": (
        "tests/unit/core/decisions/test_narrowing.py",
        "tests/scenarios/decisions/test_narrowed_approvals.py",
    ),
    "services.endings.completion": _CUT_SHORT,
    "services.endings.ending": _CUT_SHORT,
    "services.endings.task_ends": _CUT_SHORT,
    "services.endings.unclosed_ends": _CUT_SHORT,
    "core.replicas.replica": _REPLICAS,
    "services.replicas.replica_lease": _REPLICAS,
    "services.replicas.task_ownership": ("tests/unit/services/replicas/test_task_ownership.py",),
    "services.endings.remote_endings": ("tests/unit/services/endings/test_remote_endings.py",),
    "services.tasks.calls_in_flight": (
        "tests/unit/services/tasks/test_live_tasks.py",
        "tests/unit/services/endings/test_remote_endings.py",
        "tests/unit/services/endings/test_ending.py",
    ),
    "services.credentials.leases": _LEASES,
    "services.credentials.revocation": _LEASES,
}
