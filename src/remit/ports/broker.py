# SPDX-License-Identifier: Apache-2.0
"""Brokers: where the credential for an upstream comes from, and how it is taken back. No agent sees it.

A broker speaks to two places: the *source* that gives credentials and takes them back (an authorization
server, a database's administrator, a vault), and the *sink* where a credential opens something. Often they
are one server; what the source says is not proof of what the sink does, so an ending is probed at the sink.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from remit.core.errors import KeyUnavailable
from remit.core.keys.certificate import ClientCertificate
from remit.core.keys.sigv4 import AwsSigner
from remit.core.tasks.task import Task


class LeaseWanted(msgspec.Struct, frozen=True):
    """What a credential is wanted for: one task, at one upstream. `lease` names it in evidence and, where the
    source takes names, at the source. `env` is what a process gets in its environment, where that is what is
    wanted, and `secrets` are the texts in it that nobody may read.
    """

    lease: str
    upstream: str
    task: Task
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the lease; what its process gets is not shown."""
        return f"LeaseWanted({self.lease!r}, {self.upstream!r})"

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the upstream's tools that the task was granted, each once."""
        found = (grant.tool.partition("/") for grant in self.task.grants)
        return tuple(dict.fromkeys(name for upstream, _, name in found if upstream == self.upstream))


class UpstreamCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential in the form in which it is injected: headers of a call, or `env` of a process that is
    started for the task and serves no other. With a `signer` no call carries it: each is signed with it.
    A `certificate` is shown on connections that are the task's alone.

    `sink` says for people what it opens, with no secret in it. `until` is when it ends by itself; `None`
    where it does not. `secrets` are the texts that must not come back in a result. `handle` is what its
    broker needs to take it back and to try it: secret too, and kept sealed.
    """

    lease: str
    sink: str = ""
    until: datetime | None = None
    headers: dict[str, str] = {}
    env: dict[str, str] = {}
    signer: AwsSigner | None = None
    certificate: ClientCertificate | None = None
    secrets: tuple[str, ...] = ()
    handle: dict[str, str] = {}

    def __repr__(self) -> str:
        """Name the lease; nothing of the credential is shown, in logs and tracebacks neither."""
        return f"UpstreamCredential({self.lease!r}, {self.sink!r})"


class UnfitCredential(KeyUnavailable):
    """A source has given what is not used, for `why`. It opens something all the same: whoever leases takes
    `credential` back, like all others.
    """

    def __init__(self, why: KeyUnavailable, credential: UpstreamCredential) -> None:
        """Take what is said of it, and what `revoke` needs."""
        super().__init__(why.message, code=why.code, remediation=why.remediation, debug=why.debug)
        self.credential = credential


class Probe(enum.StrEnum):
    """What a sink says to a credential. `unreachable`: it has said neither yes nor no."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNREACHABLE = "unreachable"


class Broker(Protocol):
    """Gives credentials for one upstream and takes them back. Safe for many at once on one event loop.

    Nothing is kept here that a restart would lose: whoever leases keeps each credential, sealed, until it is
    dead. All three may take as long as source or sink take; the caller bounds that.
    """

    @property
    def kind(self) -> str:
        """What its credentials are, in the closure: `oauth-token`, `postgres-role`, `openbao-lease`."""
        ...

    @property
    def standing(self) -> bool:
        """Whether it gives a secret of the configuration, which nobody can take back: then it is asked for
        each call, and neither `revoke` nor `probe` is called.
        """
        ...

    @property
    def traceable(self) -> bool:
        """Whether `revoke` can take back by `lease` alone what `obtain` did not live to tell of.

        Then the lease is kept before the source is asked, so that no crash leaves a credential behind.
        """
        ...

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return a credential of its own for a task; raises `KeyUnavailable` when there is none to be had,
        `NothingDone` where it is sure that the source gave nothing: then nothing is taken back, and
        `UnfitCredential` where what it gave is not used: then that is.
        """
        ...

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Take it back at the source. Idempotent: one that is gone is taken back. Raises `KeyUnavailable`
        where the source has not confirmed it; then it is called again.
        """
        ...

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Use the credential at the sink, for nothing, and say what came of it; never raises.

        Anything but a clear no of the sink is not `refused`.
        """
        ...


@runtime_checkable
class Tracing(Broker, Protocol):
    """A traceable broker that has to know more than the name of a lease whose `obtain` told nothing."""

    def trace(self) -> dict[str, str]:
        """Return, before `obtain`, what `revoke` then finds in `handle`; it is kept open, so no secret."""
        ...


@runtime_checkable
class Replaceable(Broker, Protocol):
    """A broker of a standing secret that can be changed. `revoke` has another one take its place, and `probe`
    tries the one that was given.
    """

    def now(self, lease: str) -> UpstreamCredential:
        """Return the secret that counts now as something that can be taken back; raises `KeyUnavailable`."""
        ...


@runtime_checkable
class Shared(Broker, Protocol):
    """A broker whose tasks share one credential: what takes one task's back makes the others' worthless."""

    async def counts(self, credential: UpstreamCredential) -> bool:
        """Whether what was given still counts, asked at the source behind this call's beginning, whoever else
        may have changed it there: where it does not, the next call of its task gets another.

        A source that is silent has changed nothing for a bounded time. Raises `KeyUnavailable` where it
        clearly gives nothing any more, or has been silent for longer.
        """
        ...
