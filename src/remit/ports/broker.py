# SPDX-License-Identifier: Apache-2.0
"""Brokers: where the credential for an upstream comes from, and how it is revoked. No agent sees it.

A broker communicates with two places: the *source* that issues and revokes credentials (an authorization
server, a database's administrator, a vault), and the *sink* where a credential opens something. Often both
are one server. The source's answer does not prove what the sink does, so an ending is probed at the sink.
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
    """The purpose of a wanted credential: one task, at one upstream.

    `lease` names the credential in evidence and, where the source accepts names, at the source. `env` is what
    a process gets in its environment, where that is wanted, and `secrets` are the texts in it that no one may
    read.
    """

    lease: str
    upstream: str
    task: Task
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the lease; leave out what its process gets."""
        return f"LeaseWanted({self.lease!r}, {self.upstream!r})"

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the upstream's tools that the task was granted, each once."""
        found = (grant.tool.partition("/") for grant in self.task.grants)
        return tuple(dict.fromkeys(name for upstream, _, name in found if upstream == self.upstream))


class UpstreamCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential in the form in which it is injected.

    It is headers of a call, or `env` of a process that is started for the task and serves no other. With a
    `signer` no call carries the credential: each call is signed with it. A `certificate` is shown on
    connections that are the task's alone.

    `sink` describes for people what it opens, without a secret. `until` is when it expires; `None` where it
    does not. `secrets` are the texts that must not come back in a result. `handle` is what its broker needs
    to revoke and to probe it: secret too, and stored sealed.
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
        """Name the lease; nothing of the credential is shown, not in logs and tracebacks either."""
        return f"UpstreamCredential({self.lease!r}, {self.sink!r})"


class UnfitCredential(KeyUnavailable):
    """A source has issued a credential that is not used, for `why`.

    It opens something all the same: the caller revokes `credential` like any other.
    """

    def __init__(self, why: KeyUnavailable, credential: UpstreamCredential) -> None:
        """Take the reason, and the credential that `revoke` needs."""
        super().__init__(why.message, code=why.code, remediation=why.remediation, debug=why.debug)
        self.credential = credential


class Probe(enum.StrEnum):
    """A sink's answer to a credential. `unreachable`: it has neither accepted nor refused."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNREACHABLE = "unreachable"


class Broker(Protocol):
    """Issues credentials for one upstream and revokes them. Safe for many at once on one event loop.

    The broker keeps nothing that a restart would lose: its caller stores each credential, sealed, until it is
    dead. All three methods may take as long as source or sink take; the caller bounds that.
    """

    @property
    def kind(self) -> str:
        """The kind of its credentials, in the closure: `oauth-token`, `postgres-role`, `openbao-lease`."""
        ...

    @property
    def standing(self) -> bool:
        """Whether the broker returns a configured secret, which cannot be revoked.

        Then it is called for each call, and neither `revoke` nor `probe` is called.
        """
        ...

    @property
    def traceable(self) -> bool:
        """Whether `revoke` can revoke by `lease` alone what an interrupted `obtain` left behind.

        Then the lease is stored before the source is asked, so that no crash leaves a credential behind.
        """
        ...

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return a credential for one task.

        Raises `KeyUnavailable` when no credential is available. Raises `NothingDone` where it is certain that
        the source issued nothing: then nothing is revoked. Raises `UnfitCredential` where the issued
        credential is not used: then it is revoked.
        """
        ...

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke a credential at the source. Idempotent: a credential that is gone counts as revoked.

        Raises `KeyUnavailable` where the source has not confirmed it; then this is called again.
        """
        ...

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Try the credential at the sink, without effect, and return the result; never raises.

        Anything but a clear refusal by the sink is not `refused`.
        """
        ...


@runtime_checkable
class Tracing(Broker, Protocol):
    """A traceable broker that needs more than the lease's name to revoke after an interrupted `obtain`."""

    def trace(self) -> dict[str, str]:
        """Return, before `obtain`, what `revoke` then finds in `handle`; stored unsealed, so no secret."""
        ...


@runtime_checkable
class Replaceable(Broker, Protocol):
    """A broker of a standing secret that can be changed.

    `revoke` replaces the secret by another one, and `probe` tries the one that was issued.
    """

    def now(self, lease: str) -> UpstreamCredential:
        """Return the current secret as a credential that can be revoked; raises `KeyUnavailable`."""
        ...


@runtime_checkable
class Shared(Broker, Protocol):
    """A broker whose tasks share one credential: revoking one task's also makes those of the others
    worthless.
    """

    async def counts(self, credential: UpstreamCredential) -> bool:
        """Return whether an issued credential is still valid, as asked at the source after this call began.

        Anyone may have changed it there. Where it is no longer valid, the next call of its task gets another.

        A silent source counts as unchanged for a bounded time. Raises `KeyUnavailable` where the source
        clearly refuses, or has been silent for longer.
        """
        ...


class SecretProbe(Protocol):
    """One place of the configuration where secrets are accepted.

    INVARIANT: the place comes from the configuration. No value of a finding chooses where a secret is sent.
    An attempt only signs in, or reads who the caller is. Concurrency: any number of attempts at once.
    """

    @property
    def upstream(self) -> str:
        """The upstream that the place belongs to."""
        ...

    @property
    def opens(self) -> str:
        """The type of secrets that it accepts: `postgresql`, `github` or `oauth`."""
        ...

    @property
    def place(self) -> str:
        """The place in words, as `host:port/database` or as an address; never with a secret."""
        ...

    @property
    def user(self) -> str:
        """The account that the configuration names; empty if none."""
        ...

    async def probe(self, secret: str, user: str) -> Probe:
        """Return whether the place accepts the secret, for an account where it has accounts.

        Anything but a clear answer is `unreachable`. Raises nothing.
        """
        ...
