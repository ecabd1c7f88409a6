# SPDX-License-Identifier: Apache-2.0
"""Every fault that remit raises, as one tree.

A policy outcome is a value (`core.decisions.decision`), never an exception. An exception is a fault: bad
input, an unreachable dependency, a promise that remit cannot keep. Each fault carries a stable `code` for
programs, a message for people that never holds a secret, and the remediation. A separate `debug` text stays
inside the process.
"""

from __future__ import annotations

#: What a caller should do about a request, keyed by whether it may have been carried out.
_AGAIN = {False: "call again", True: "check whether the call took effect before you repeat it"}


class RemitError(Exception):
    """A fault with a stable code.

    `message` is safe to show to the caller. `debug` is not, and goes into no response and no evidence.
    `remediation` states what would make the request work. `step` is the number of the step of a call (1 to 9)
    at which the fault arose.
    """

    code = "fault"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        remediation: str = "",
        debug: str = "",
        step: int | None = None,
    ) -> None:
        """Store each text separately; `str(error)` contains only the public ones."""
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.remediation = remediation
        self.debug = debug
        self.step = step

    def __str__(self) -> str:
        """Return the message and the remediation, never the debug text."""
        return f"{self.message}; {self.remediation}" if self.remediation else self.message


class Malformed(RemitError):
    """Bytes from outside that are not of their declared form (bad JSON, bad framing, bad encoding)."""

    code = "malformed"


class ConfigInvalid(RemitError):
    """A configuration, policy, tool or task file that cannot be used; names file, line and key where
    known.
    """

    code = "config-invalid"

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int | None = None,
        key: str = "",
        remediation: str = "",
        code: str | None = None,
    ) -> None:
        """Build one line for a person: the place, the problem, and the remediation."""
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        at = f"`{key}`: " if key else ""
        super().__init__(f"{place}{at}{message}", remediation=remediation, code=code)
        self.file = file
        self.line = line
        self.key = key


class Unauthenticated(RemitError):
    """The caller has not proved its identity, or claims none (HTTP 401)."""

    code = "unauthenticated"


class ProofRefused(Unauthenticated):
    """A proof of possession is missing or invalid (RFC 9449).

    `error` is the standard's error code on the wire: `invalid_dpop_proof`, or `use_dpop_nonce` where the
    caller should retry with `nonce` in its proof. `code` is more specific, for the evidence.
    """

    code = "proof-refused"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        error: str = "invalid_dpop_proof",
        nonce: str = "",
        remediation: str = "",
        debug: str = "",
    ) -> None:
        """Store the wire's error code, and the nonce to use."""
        super().__init__(message, code=code, remediation=remediation, debug=debug, step=1)
        self.error = error
        self.nonce = nonce


class Forbidden(RemitError):
    """The caller is authenticated and may not perform this management action (HTTP 403)."""

    code = "forbidden"


class NotFound(RemitError):
    """The named thing does not exist, or the caller may not learn that it exists."""

    code = "not-found"


class Conflict(RemitError):
    """The state has changed: a name is taken, an approval was used, an epoch has risen."""

    code = "conflict"


class ChangedMeanwhile(Conflict):
    """The record has changed since it was read: writing it back would undo that change."""

    code = "changed-meanwhile"


class Fenced(Conflict):
    """A scope of the call has ended: nothing more is permitted under it.

    `sent` is true when the call had already been written to its upstream: its outcome is unknown.
    """

    code = "fenced"

    def __init__(
        self,
        message: str,
        *,
        sent: bool = False,
        code: str | None = None,
        remediation: str = "",
        step: int | None = None,
    ) -> None:
        """Store whether the call may have taken effect."""
        super().__init__(message, code=code, remediation=remediation, step=step)
        self.sent = sent


class Suspended(Conflict):
    """A task of the call is suspended: nothing is permitted under it until it is resumed."""

    code = "task-suspended"


class Elsewhere(Conflict):
    """Another replica owns the live state of `task`, and decides. `owner` is the replica's id, empty if
    unknown.
    """

    code = "task-elsewhere"

    def __init__(self, task: str, owner: str = "") -> None:
        """Store the owner of the task."""
        super().__init__(
            f"task `{task}` is served by another replica",
            remediation="call again; the call is forwarded to that replica",
        )
        self.task = task
        self.owner = owner


class BudgetExhausted(Conflict):
    """A budget of the task or of one of its ancestors does not cover this call."""

    code = "budget-exhausted"


class OutOfOrder(RemitError):
    """A step of a call was taken before a step that it depends on: a defect. The call is refused."""

    code = "out-of-order"


class VerificationFailed(RemitError):
    """Evidence, a signature or a proof is invalid; the message names which one, and where."""

    code = "verification-failed"


class HeadMissing(VerificationFailed):
    """A log has events but its signed head is missing, so a truncated log could not be detected."""

    code = "head-missing"

    def __init__(self, tenant: str, size: int) -> None:
        """State the number of events in the message."""
        super().__init__(
            f"the log of tenant `{tenant}` has {size} events, and its signed head is missing",
            remediation="put the head's file (`log_head.path`) back from a copy, or from a witness of "
            "the log; on a new replica, copy the file of another replica; else run `remit restore`",
        )


class RestoreUnfinished(VerificationFailed):
    """A backup was put in place and what it holds has not been ended: it may hold what was revoked since."""

    code = "restore-unfinished"

    def __init__(self) -> None:
        """Name the remediation."""
        super().__init__(
            "a restore of this store was interrupted",
            remediation="run `remit restore` with the same backup again",
        )


class NotVerifiable(RemitError):
    """There is too little data to verify the evidence (`VerificationFailed` means that it is invalid)."""

    code = "not-verifiable"


class StoreUnavailable(RemitError):
    """The store cannot commit: disk full, lost, locked or failing. Until it can, no call is permitted."""

    code = "store-unavailable"


class CommitInDoubt(StoreUnavailable):
    """The store was lost during a commit: it is not yet known whether the commit took effect."""


class OutOfForce(StoreUnavailable):
    """This replica has no lease: it cannot reach the store, so it cannot know what has ended since.

    `sent` is true when the call had already been written to its upstream: its outcome is unknown.
    """

    code = "replica-fenced"

    def __init__(self, *, sent: bool = False) -> None:
        """Store whether the call may have taken effect."""
        super().__init__(
            "this replica cannot renew its lease in the store and refuses everything",
            remediation=f"{_AGAIN[sent]}; this replica serves again once it renews its lease",
        )
        self.sent = sent


class OwnerAway(StoreUnavailable):
    """The replica that serves a task does not answer.

    `sent` is true when the request may have reached it: whether it was carried out is unknown.
    """

    code = "task-owner-away"

    def __init__(self, debug: str, *, sent: bool = False) -> None:
        """Store whether the request may have taken effect."""
        super().__init__(
            "the replica that serves this task does not answer"
            + ("; the call may have taken effect" if sent else ""),
            remediation=f"{_AGAIN[sent]}; another replica soon takes over the task",
            debug=debug,
        )
        self.sent = sent


class PolicyUnavailable(RemitError):
    """The policy engine failed, timed out or gave an unknown answer: the decision is Deny."""

    code = "policy-unavailable"


class KeyUnavailable(RemitError):
    """A key or a secret cannot be read or used.

    `place` is the key or secret's place in the configuration, for operators; callers receive only the
    message.
    """

    code = "key-unavailable"
    place = ""


class NothingDone(KeyUnavailable):
    """A source of credentials was not asked, or has refused: there is nothing to revoke."""


class SourceUnavailable(RemitError):
    """A document that trust depends on (a key set, metadata, a bundle) is unavailable, or may not be
    fetched.
    """

    code = "source-unavailable"


class UpstreamUnreachable(RemitError):
    """No usable answer came from an upstream.

    `sent` is true when bytes of the request may have reached it, so that its outcome is unknown.
    """

    code = "upstream-unreachable"

    def __init__(
        self,
        message: str,
        *,
        sent: bool = False,
        remediation: str = "",
        debug: str = "",
        code: str | None = None,
    ) -> None:
        """Store whether the request may have taken effect."""
        super().__init__(message, remediation=remediation, debug=debug, code=code, step=7)
        self.sent = sent


class UpstreamFault(UpstreamUnreachable):
    """The upstream answered, but broke its protocol or a limit."""

    code = "upstream-fault"


class Busy(RemitError):
    """A limit on concurrent work is reached; retry later (HTTP 429 or 503)."""

    code = "busy"


def outcome_of(error: RemitError) -> str:
    """Return the outcome of the call that a fault ended: `not-sent`, or `unknown` where it may have taken
    effect.

    Returns an empty text where the fault came before there was anything to send.
    """
    if isinstance(error, Fenced | UpstreamUnreachable | OutOfForce | OwnerAway):
        return "unknown" if error.sent else "not-sent"
    # Step 8 withholds an answer that it cannot learn from; the upstream has answered by then.
    withheld = isinstance(error, StoreUnavailable) and error.step is not None and error.step >= 8
    return "unknown" if withheld else ""


def repeatable(error: RemitError) -> bool:
    """Return whether a client may be asked to retry: never where its request may have been carried out."""
    return not isinstance(error, CommitInDoubt) and outcome_of(error) != "unknown"
