# SPDX-License-Identifier: Apache-2.0
"""Scopes: the units that can be ended, and the epochs that make an ending visible.

Every call lies in several scopes: its task, the task's ancestors, the agents of all of these and their
owners, the person it is for, the tool, the upstream, and everything. Each scope has an epoch that only rises.
A task remembers the epochs of its scopes from the time when it was opened. Once a scope's epoch is higher,
nothing of that task is permitted any longer. A locked scope also refuses new tasks until it is unlocked.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import msgspec

EVERYTHING = "everything:*"
"""The scope that contains every call."""


class ScopeKind(enum.StrEnum):
    """The kinds of scope that can be ended."""

    TASK = "task"
    AGENT = "agent"
    OWNER = "owner"
    PERSON = "person"
    DELEGATION = "delegation"
    TOOL = "tool"
    UPSTREAM = "upstream"
    EVERYTHING = "everything"


class Raised(msgspec.Struct, frozen=True):
    """A scope whose epoch was raised."""

    scope: str
    epoch: int


def scope(kind: ScopeKind, name: str) -> str:
    """Return the text form of a scope: `agent:contract-bot`."""
    return f"{kind.value}:{name}"


def risen(remembered: Mapping[str, int], current: Mapping[str, int], scopes: Iterable[str]) -> str:
    """Return the first of `scopes` whose epoch is above the remembered one, or an empty text.

    A scope that is in neither mapping has epoch 0.
    """
    if not current:
        return ""  # no scope was ever ended
    for name in scopes:
        epoch = current.get(name)
        if epoch is not None and epoch > remembered.get(name, 0):
            return name
    return ""
