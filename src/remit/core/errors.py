# SPDX-License-Identifier: Apache-2.0
"""Every fault that remit raises, as one tree.

A policy outcome is a value (`core.decisions.decision`), never an exception. What is raised here is a fault:
bad input, a part that is not reachable, a promise that cannot be kept. Each fault carries a stable `code` for
programs, a message for people that never holds a secret, the remediation, and, apart from both, a `debug`
text that stays inside the process.
"""

from __future__ import annotations

#: What a caller is to do about a request: by whether it may have been carried out.
_AGAIN = {False: "call again", True: "check whether the call took effect before you repeat it"}


class RemitError(Exception):
    """A fault with a stable code.

    `message` is safe to show to whoever asked; `debug` is not, and is written to no response and no evidence.
    `remediation` says what would make it work. `step` is the number of the step of a call (1 to 9) where it
    arose.
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
        """Keep the parts apart; `str(error)` is the public text alone."""
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
    """Bytes from outside that are not what they claim to be (bad JSON, bad framing, bad encoding)."""

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
        """Build the one line that a person needs: where, what, and the remediation."""
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        at = f"`{key}`: " if key else ""
        super().__init__(f"{place}{at}{message}", remediation=remediation, code=code)
        self.file = file
        self.line = line
        self.key = key


class Unauthenticated(RemitError):
    """The caller is not who it says, or says nothing (HTTP 401)."""

    code = "unauthenticated"


class ProofRefused(Unauthenticated):
    """A proof of possession is missing or does not hold (RFC 9449).

    `error` is what the standard calls it on the wire: `invalid_dpop_proof`, or `use_dpop_nonce` where the
    caller should come again with `nonce` in its proof. `code` says more, for the evidence.
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
        """Remember the wire's own error, and the nonce to use."""
        super().__init__(message, code=code, remediation=remediation, debug=debug, step=1)
        self.error = error
        self.nonce = nonce


class Forbidden(RemitError):
    """The caller is known and may not do this management action (HTTP 403)."""

    code = "forbidden"


class NotFound(RemitError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not-found"


class Conflict(RemitError):
    """The state has moved on: a name is taken, an approval was used, an epoch has risen."""

    code = "conflict"


class ChangedMeanwhile(Conflict):
    """What was read has been changed by somebody else: to write it back would undo that."""

    code = "changed-meanwhile"


class Fenced(Conflict):
    """A scope of the call has been ended: nothing more is permitted under it.

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
        """Remember whether the call may have taken effect."""
        super().__init__(message, code=code, remediation=remediation, step=step)
        self.sent = sent


class Elsewhere(Conflict):
    """The live state of `task` is another replica's, which decides. `owner` is its id, empty if unknown."""

    code = "task-elsewhere"

    def __init__(self, task: str, owner: str = "") -> None:
        """Remember who owns it."""
        super().__init__(
            f"task `{task}` is served by another replica",
            remediation="call again; the call is forwarded to that replica",
        )
        self.task = task
        self.owner = owner


class BudgetExhausted(Conflict):
    """A budget of the task or of one of its ancestors cannot pay for this call."""

    code = "budget-exhausted"


class OutOfOrder(RemitError):
    """A step of a call was taken before the one it rests on: a defect, answered by refusing the call."""

    code = "out-of-order"


class VerificationFailed(RemitError):
    """Evidence, a signature or a proof does not hold; says which and where."""

    code = "verification-failed"


class HeadMissing(VerificationFailed):
    """A log has events, and no signed head of it is kept, by which a shorter log could be told from it."""

    code = "head-missing"

    def __init__(self, tenant: str, size: int) -> None:
        """Say how many events there are."""
        super().__init__(
            f"the log of tenant `{tenant}` has {size} events, and its signed head is missing",
            remediation="restore the head's file (`log_head.path`) from a backup or a witness of the "
            "log; on a new replica, copy the file of another replica",
        )


class NotVerifiable(RemitError):
    """There is not enough at hand to tell whether the evidence holds (unlike `VerificationFailed`, which says
    it does not).
    """

    code = "not-verifiable"


class StoreUnavailable(RemitError):
    """The store cannot commit: disk full, lost, locked or failing. No call is permitted meanwhile."""

    code = "store-unavailable"


class CommitInDoubt(StoreUnavailable):
    """The store was lost while a commit was under way: nobody knows yet whether it holds."""


class OutOfForce(StoreUnavailable):
    """This replica has no lease: it cannot reach the store, and what was ended meanwhile it could not know.

    `sent` is true when the call had already been written to its upstream: its outcome is unknown.
    """

    code = "replica-fenced"

    def __init__(self, *, sent: bool = False) -> None:
        """Remember whether the call may have taken effect."""
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
        """Remember whether the request may have taken effect."""
        super().__init__(
            "the replica that serves this task does not answer"
            + ("; the call may have taken effect" if sent else ""),
            remediation=f"{_AGAIN[sent]}; another replica soon takes over the task",
            debug=debug,
        )
        self.sent = sent


class PolicyUnavailable(RemitError):
    """The policy engine erred, timed out or answered something unknown: the decision is Deny."""

    code = "policy-unavailable"


class KeyUnavailable(RemitError):
    """A key or a secret cannot be read or used.

    `place` is where the configuration names it, for whoever runs remit; callers are told the message alone.
    """

    code = "key-unavailable"
    place = ""


class NothingDone(KeyUnavailable):
    """A source of credentials was not asked, or has said no: there is nothing to be taken back."""


class SourceUnavailable(RemitError):
    """A document that trust rests on (a key set, metadata, a bundle) cannot be had, or may not be fetched."""

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
        """Remember whether the request may have taken effect."""
        super().__init__(message, remediation=remediation, debug=debug, code=code, step=7)
        self.sent = sent


class UpstreamFault(UpstreamUnreachable):
    """The upstream answered, but broke its protocol or a limit."""

    code = "upstream-fault"


class Busy(RemitError):
    """A bound on work at hand is reached; try again later (HTTP 429 or 503)."""

    code = "busy"


def outcome_of(error: RemitError) -> str:
    """Say what became of the call that a fault ended: `not-sent`, or `unknown` where it may have taken
    effect. Empty where the fault came before there was anything to send.
    """
    if isinstance(error, Fenced | UpstreamUnreachable | OutOfForce | OwnerAway):
        return "unknown" if error.sent else "not-sent"
    # Step 8 withholds what it cannot learn from: the upstream has answered by then.
    withheld = isinstance(error, StoreUnavailable) and error.step is not None and error.step >= 8
    return "unknown" if withheld else ""


def repeatable(error: RemitError) -> bool:
    """Whether a client may be told to ask again: never where what it asked for may have been done."""
    return not isinstance(error, CommitInDoubt) and outcome_of(error) != "unknown"
