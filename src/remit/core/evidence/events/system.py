# SPDX-License-Identifier: Apache-2.0
"""Events of remit itself: its processes, its bundle, its keys and the keys of subjects."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By, Reason, ToolName
from remit.core.evidence.restore import Loss
from remit.core.keys.own_keys import KeyKind


class SystemStarted(EventBody, kw_only=True):
    """Remit began to serve."""

    KIND = EventKind.SYSTEM_STARTED
    version: Annotated[str, "its version"]
    bundle: Annotated[str, "digest of the policy bundle in force"]
    recovered: Annotated[int, "permitted calls whose outcome a crash had lost, now recorded as `unknown`"]


class SystemStopped(EventBody, kw_only=True):
    """Remit stopped in order. A start without it before follows a crash."""

    KIND = EventKind.SYSTEM_STOPPED


class ReplicaGone(EventBody, kw_only=True):
    """A replica was silent for so long that others took over what it owned. It commits nothing any more; if
    it comes back, then under another id.
    """

    KIND = EventKind.REPLICA_GONE
    replica: Annotated[str, "its id"]
    host: Annotated[str, "the machine that it ran on"]


class BundleApplied(EventBody, kw_only=True):
    """A policy bundle came into force: policies, tools and task types as one version."""

    KIND = EventKind.BUNDLE_APPLIED
    bundle: Annotated[str, "its digest"]
    previous: Annotated[str, "the previous digest"]
    tools: Annotated[int, "tools that it describes"]
    task_types: Annotated[int, "its task types"]
    rules: Annotated[int, "its rules"]
    version: Annotated[int, "its number: how many bundles were in force until then"] = 0
    back_to: Annotated[int, "the earlier version that came back"] = 0
    reason: Reason = ""
    by: By
    second: Annotated[str, Sealed("the administrator who confirmed it")] = ""


class BundleProposed(EventBody, kw_only=True):
    """An administrator wants a policy bundle in force, and a second one has to confirm it."""

    KIND = EventKind.BUNDLE_PROPOSED
    bundle: Annotated[str, "its digest"]
    instead_of: Annotated[str, "the digest of the bundle in force"]
    back_to: Annotated[int, "the earlier version that it is"] = 0
    reason: Reason = ""
    by: By


class ShadowStarted(EventBody, kw_only=True):
    """A candidate decides beside the policies in force, without effect, until it is stopped."""

    KIND = EventKind.SHADOW_STARTED
    shadow: Annotated[str, "its id"]
    candidate: Annotated[str, "digest of the candidate's policies"]
    bundle: Annotated[str, "digest of the policy bundle in force"]
    rules: Annotated[int, "the candidate's rules"]
    share: Annotated[int, "percent of one core that it may use on each replica"]
    reason: Reason = ""
    by: By


class ShadowDiffered(EventBody, kw_only=True):
    """A candidate would have decided a call differently; the call was answered by the policies in force."""

    KIND = EventKind.SHADOW_DIFFERED
    shadow: Annotated[str, "the shadow's id"]
    candidate: Annotated[str, "digest of the candidate's policies"]
    bundle: Annotated[str, "digest of the policy bundle that decided"]
    tool: ToolName
    before: Annotated[str, "what was decided"]
    after: Annotated[str, "what the candidate says"]
    rules: Annotated[list[str], "the candidate's deciding rules"] = []


class ShadowStopped(EventBody, kw_only=True):
    """A candidate was stopped."""

    KIND = EventKind.SHADOW_STOPPED
    shadow: Annotated[str, "its id"]
    candidate: Annotated[str, "digest of the candidate's policies"]
    calls: Annotated[int, "calls that were decided meanwhile"]
    shadowed: Annotated[int, "those of them that the candidate decided too"]
    differing: Annotated[int, "those that it decided differently"]
    more_permissive: Annotated[int, "those to which it permits more"]
    reason: Reason = ""
    by: By


class PolicyProven(EventBody, kw_only=True):
    """A statement about policies was proven, refuted or left open for every possible call of the tools."""

    KIND = EventKind.POLICY_PROVEN
    bundle: Annotated[str, "the digest of the bundle in question, or of the policies that were sent"]
    before: Annotated[str, "the digest of the bundle that it was compared with"]
    verdict: Annotated[str, "`proven`, `refuted` or `undecided`: of all answers together"]
    proven: Annotated[int, "answers that hold for every possible call"]
    refuted: Annotated[int, "answers with a call for which the statement does not hold"]
    undecided: Annotated[int, "answers that prove nothing"]
    guardrail: Annotated[str, "the rule that had to bound everything"] = ""
    reached_by: Annotated[tuple[str, ...], "the only agents and groups that may reach the tools"] = ()
    tools: Annotated[tuple[str, ...], "the tools; left out: all that the change can touch"] = ()
    cedar: Annotated[str, "the version of Cedar's symbolic compiler"]
    solver: Annotated[str, "the version of the solver"]
    by: By


class KeyRotated(EventBody, kw_only=True):
    """Another key of remit signs, or wraps, from now on."""

    KIND = EventKind.KEY_ROTATED
    kind: Annotated[KeyKind, "the key's purpose: `token`, `checkpoint`, `sealing`, `ca` or `svid`"]
    key: Annotated[str, "its public name; for a checkpoint key, the verifier key"]
    previous: Annotated[str, "the previous key"]
    at_once: Annotated[bool, "`true`: signatures of earlier keys are refused from now on"] = False
    found: Annotated[bool, "`true`: the rotation was not recorded and was found later"] = False
    reason: Reason = ""
    by: By


class KeyRetired(EventBody, kw_only=True):
    """A previous key of remit was destroyed: its work is accepted no longer (of a checkpoint key, it signs no
    more).
    """

    KIND = EventKind.KEY_RETIRED
    kind: Annotated[KeyKind, "the key's purpose"]
    key: Annotated[str, "its public name"]


class StateRecorded(EventBody, kw_only=True):
    """Rows of state changed with no other event that could say so, or with too many rows for one event; or
    rows of an older version of remit were recorded for the first time.
    """

    KIND = EventKind.STATE_RECORDED
    adopted: Annotated[str, "the table whose rows of an older version it records; without it, none"] = ""
    more: Annotated[bool, "whether more such rows follow; only then rows are compared"] = False


class SubjectForgotten(EventBody, kw_only=True):
    """The key of a subject was destroyed: values sealed under it can never be read again, and every proof
    still holds.
    """

    KIND = EventKind.SUBJECT_FORGOTTEN
    key: Annotated[str, "the id of that key, which names no one: a restore leaves it out"] = ""
    reason: Reason = ""
    by: By


class LogPruned(EventBody, kw_only=True):
    """The text and the values of old events were removed from the store; their hashes stay, so that every
    proof still holds.
    """

    KIND = EventKind.LOG_PRUNED
    ranges: Annotated[
        list[list[int]], "the events, as pairs of indexes: the first one, and the one after the last"
    ]
    events: Annotated[int, "how many they are"]
    before: Annotated[str, "the time before which they were"]
    exports: Annotated[list[str], "the exports that had taken all of them"] = []
    without_export: Annotated[bool, "`true`: no export had to have them"] = False
    reason: Reason = ""
    by: By


class LogRestored(EventBody, kw_only=True):
    """A backup took the place of the store. This is the first event after those of the backup.

    With a loss, events were signed that this log does not have: it is no continuation of that head.
    """

    KIND = EventKind.LOG_RESTORED
    backup: Annotated[str, "digest of the backup's manifest"]
    made: Annotated[str, "when the backup was made"]
    size: Annotated[int, "events of the backup"]
    root: Annotated[str, "Merkle root of these events, in hex"]
    loss: Annotated[Loss, "`none`, `known`, or `unknown` where no later head was known to compare with"]
    lost_size: Annotated[int, "events of the largest head that was known and is not in this log"] = 0
    lost_root: Annotated[str, "its Merkle root, in hex"] = ""
    lost_checkpoint: Annotated[str, "that head, signed, if it was at hand"] = ""


class LossAccepted(EventBody, kw_only=True):
    """Administrators accepted what a restore had lost, and unlocked everything."""

    KIND = EventKind.LOSS_ACCEPTED
    backup: Annotated[str, "digest of the restored backup's manifest"]
    size: Annotated[int, "events of the backup"]
    lost_size: Annotated[int, "events of the largest head that is not in this log; 0 if none was known"]
    administrators: Annotated[int, "how many agreed: one where the backup had only one"]
    start_codes: Annotated[
        int, "of them, those signed in by a code of who starts remit: the machine's operator"
    ]
    by: By
    second: Annotated[str, Sealed("the administrator who agreed first")] = ""


class ChangeFrozen(EventBody, kw_only=True):
    """A person declared a change freeze; policies read that one is in force."""

    KIND = EventKind.CHANGE_FROZEN
    freeze: Annotated[str, "its id"]
    until: Annotated[str, "when it ends, unless a person lifts it before"]
    reason: Reason
    by: By


class FreezeLifted(EventBody, kw_only=True):
    """A person ended a change freeze before its time."""

    KIND = EventKind.FREEZE_LIFTED
    freeze: Annotated[str, "its id"]
    reason: Reason
    by: By
