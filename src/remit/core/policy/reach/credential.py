# SPDX-License-Identifier: Apache-2.0
"""The credentials of upstreams, and the upstreams that they join.

Where one credential opens several upstreams, each may reveal the other's data.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import msgspec

from remit.core.policy.reach.graph import ReachGraph, SharedStore
from remit.core.policy.reach.model import Runner


class Lifetime(enum.StrEnum):
    """The lifetime of a credential."""

    STANDING = "standing"
    TASK = "for each task"
    CALL = "for each call"


class CredentialSource(msgspec.Struct, frozen=True, order=True):
    """The credential of an upstream: a standing secret, or the source of a credential for each task or call.

    `name` identifies it by reference, and is the same wherever the same credential is used. It never holds a
    secret.
    """

    name: str
    lifetime: Lifetime = Lifetime.STANDING


CredentialSources = Mapping[str, tuple[CredentialSource, ...]]
"""The credentials of upstreams, by the upstream's name."""


class CredentialHolder(msgspec.Struct, frozen=True):
    """A task type whose calls carry a credential; `untrusted` where the task may hold data that others have
    written.
    """

    runner: Runner
    tools: tuple[str, ...]
    untrusted: bool


class CredentialUse(msgspec.Struct, frozen=True):
    """A credential, the upstreams that it opens, and the task types whose calls carry it."""

    credential: CredentialSource
    upstreams: tuple[str, ...]
    holders: tuple[CredentialHolder, ...]


def joined(credentials: CredentialSources) -> dict[str, tuple[SharedStore, ...]]:
    """Return for each upstream the stores that it shares with others because one credential opens them
    all.
    """
    opened: dict[str, list[str]] = {}
    for upstream, held in credentials.items():
        for one in held:
            opened.setdefault(one.name, []).append(upstream)
    out: dict[str, list[SharedStore]] = {}
    for name, upstreams in sorted(opened.items()):
        if len(set(upstreams)) > 1:
            for upstream in upstreams:
                out.setdefault(upstream, []).append(SharedStore("", f"what {name} opens"))
    return {upstream: tuple(stores) for upstream, stores in out.items()}


def uses(
    credentials: CredentialSources, reach_graph: ReachGraph, untrusted: Iterable[bool]
) -> tuple[CredentialUse, ...]:
    """Return each credential with the task types whose calls carry it; `untrusted` has a flag for each
    runner.
    """
    opened: dict[CredentialSource, set[str]] = {}
    for upstream, held in credentials.items():
        for one in held:
            opened.setdefault(one, set()).add(upstream)
    tainted = tuple(untrusted)
    out = []
    for credential, upstreams in sorted(opened.items()):
        holders = []
        for place, runner in enumerate(reach_graph.runners):
            gates = reach_graph.gates[runner.task_type.name]
            tools = tuple(gate.tool.id for gate in gates if gate.tool.upstream in upstreams)
            if tools:
                holders.append(CredentialHolder(runner, tools, tainted[place]))
        out.append(CredentialUse(credential, tuple(sorted(upstreams)), tuple(holders)))
    return tuple(out)
