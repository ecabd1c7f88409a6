# SPDX-License-Identifier: Apache-2.0
"""Rooms of the store that several services read together."""

from __future__ import annotations

from typing import Protocol

from remit.ports.store.endings import EndingStore
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.tasks import TaskStore


class TasksAndPrincipals(TaskStore, PrincipalStore, Protocol):
    """Tasks, and the agents and people of tasks. Durability, concurrency and errors: `UnitStore`."""


class TasksAndEndings(TaskStore, EndingStore, Protocol):
    """Tasks, and what ends tasks. Durability, concurrency and errors: `UnitStore`."""


class TasksAndSignIn(TaskStore, SignInStore, Protocol):
    """Tasks, people, and how people signed in. Durability, concurrency and errors: `UnitStore`."""
