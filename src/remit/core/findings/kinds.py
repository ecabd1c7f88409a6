# SPDX-License-Identifier: Apache-2.0
"""The kinds of findings, their severity, and what a kind says about itself."""

from __future__ import annotations

import enum

import msgspec


class FindingKind(enum.StrEnum):
    """The closed set of kinds; it grows with what remit can observe."""

    MANIFEST_DRIFT = "manifest-drift"
    OWNERLESS = "ownerless"
    SHARED_KEY = "shared-key"
    SHARED_TOKEN = "shared-token"
    TWO_PROGRAMS = "two-programs"
    SIGN_IN_CODE = "sign-in-code"
    LAST_ADMINISTRATOR = "last-administrator"
    SINK_OPEN = "sink-open"
    STANDING_SECRET = "standing-secret"
    OLD_SECRET = "old-secret"
    SECRET_STUCK = "secret-stuck"
    CREDENTIAL_LEAKED = "credential-leaked"
    SIGNALS_SILENT = "signals-silent"
    EXPORT_LATE = "export-late"
    LOG_CHANGED = "log-changed"
    STATE_CHANGED = "state-changed"
    LOG_UNWITNESSED = "log-unwitnessed"
    REVIEW_DUE = "review-due"
    BROKEN_GLASS = "broken-glass"
    ACCESS_REVIEW_DUE = "access-review-due"
    NEW_TOOL = "new-tool"
    NEW_DESTINATION = "new-destination"
    UNUSUAL_VOLUME = "unusual-volume"
    REFUSED_RETRIED = "refused-retried"
    APPROVAL_FATIGUE = "approval-fatigue"
    ANOMALIES_UNSEEN = "anomalies-unseen"
    SECRET_EXPOSED = "secret-exposed"
    SECRET_SHARED = "secret-shared"
    PERSONAL_CREDENTIAL = "personal-credential"
    CREDENTIAL_OUTLIVES = "credential-outlives"
    LONG_LIVED_CREDENTIAL = "long-lived-credential"
    WIDE_AUTHORITY = "wide-authority"
    UNUSED_AUTHORITY = "unused-authority"
    UNBOUNDED_ARGUMENTS = "unbounded-arguments"
    ESCALATION_PATH = "escalation-path"
    ENVIRONMENT_CROSSED = "environment-crossed"
    UNGOVERNED_AGENT = "ungoverned-agent"
    UNGOVERNED_SERVER = "ungoverned-server"
    UNPINNED_COMMAND = "unpinned-command"
    LOOKALIKE_PACKAGE = "lookalike-package"
    POISONED_TOOL = "poisoned-tool"
    TOOL_CHANGED = "tool-changed"
    SHADOWED_NAME = "shadowed-name"
    TOXIC_COMBINATION = "toxic-combination"
    OPEN_CONNECTION = "open-connection"


class Severity(enum.StrEnum):
    """How soon a finding needs an answer."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Its position, 0 for the most severe."""
        return list(Severity).index(self)


class FindingMeaning(msgspec.Struct, frozen=True):
    """The meaning of a kind of finding and of its facts, and the action to take.

    `severity` is that of a finding that states none. `controls` are the controls that such a
    finding breaks: `NHI1` to `NHI10` (OWASP Non-Human Identities Top 10, 2025), `ASI01` to `ASI10` (OWASP
    Agentic Top 10, 2026).
    """

    says: str
    facts: dict[str, str]
    remediation: str
    severity: Severity = Severity.MEDIUM
    controls: tuple[str, ...] = ()
