# SPDX-License-Identifier: Apache-2.0
"""What an argument really reaches, in any program that uses it: the oracle of the search, without remit's
code.

Several plausible programs read each kind of argument. The argument reaches everything that one of them
reaches. An argument that no program reads reaches nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.adversary.consumers import mail, stores, values, web
from tests.adversary.scene import ABSENT, DIVIDED, Scene

Json = Any

KINDS: dict[str, Callable[[Json], set[str]]] = {
    "mail": mail.mail,
    "url": web.url,
    "host": web.host,
    "iban": values.iban,
    "phone": values.phone,
    "handle": values.handle,
    "amount": values.amount,
    "cents": values.cents,
    "day": values.day,
    "secret": values.secret,
    "content": values.content,
    "path": stores.path,
    "record": stores.record,
    "shell": stores.shell,
    "sql": stores.sql,
}


def reached(kind: str, value: Json) -> set[str]:
    """Return the targets of a value."""
    if value == ABSENT and kind != "record":
        return set()
    return KINDS[kind](value)


def astray(scene: Scene, value: Json) -> frozenset[str]:
    """Return what of a value's targets is not the person's; empty where all is as they said."""
    if isinstance(value, str):
        value = value.replace(DIVIDED, scene.glue)
    return frozenset(one for one in reached(scene.kind, value) if not scene.allowed.covers(one))
