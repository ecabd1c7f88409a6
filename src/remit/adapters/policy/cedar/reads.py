# SPDX-License-Identifier: Apache-2.0
"""Finds what a policy's condition reads: which parts of the context, and which entities it names.

The analysis errs on the safe side: an expression that it does not understand counts as reading everything. So
a fact is withheld from Cedar only if no policy could read it.
"""

from __future__ import annotations

import msgspec

from remit.adapters.policy.types import Path
from remit.core.json_value import Json

Uid = tuple[str, str]
"""An entity's type and id."""

_BESIDE = frozenset({"==", "!=", "contains", "containsAll", "containsAny"})


class Reads(msgspec.Struct):
    """The reads of conditions.

    `paths` are the reads below `context`. `uids` are the named entities. `asked` are named entities whose
    attributes, groups or type a condition reads: every request would have to supply those, so they are
    refused.
    """

    paths: set[Path] = msgspec.field(default_factory=set)
    uids: set[Uid] = msgspec.field(default_factory=set)
    asked: set[Uid] = msgspec.field(default_factory=set)

    def expression(self, node: Json, *, compared: bool = False) -> None:
        """Read one expression of Cedar's JSON form. With `compared`, a literal here is only compared with."""
        if not isinstance(node, dict) or len(node) != 1:
            self.paths.add(())
            return
        ((name, body),) = node.items()
        if name == "Value":
            self._value(body, compared)
        elif name == "Var":
            if body == "context":
                self.paths.add(())
        elif name in (".", "has"):
            path = _chain(body.get("left"))
            if path is None:
                self.expression(body.get("left"))
            else:
                self.paths.add((*path, body["attr"], *((None,) if name == "has" else ())))
        elif name == "in":
            self.expression(body["left"])
            self.expression(body["right"], compared=True)
        elif name == "is":
            self.expression(body["left"])
            if body.get("in") is not None:
                self.expression(body["in"], compared=True)
        elif name == "like":
            self.expression(body["left"])
        elif name == "Record":
            self._all(list(body.values()))
        elif isinstance(body, list):
            self._all(body, compared=compared and name == "Set")
        elif isinstance(body, dict):
            self._all(list(body.values()), compared=name in _BESIDE)
        else:
            self.paths.add(())

    def _all(self, nodes: list[Json], *, compared: bool = False) -> None:
        for node in nodes:
            self.expression(node, compared=compared)

    def _value(self, body: Json, compared: bool) -> None:
        if isinstance(body, dict) and "__entity" in body:
            uid = (str(body["__entity"]["type"]), str(body["__entity"]["id"]))
            self.uids.add(uid)
            if not compared:
                self.asked.add(uid)
        elif isinstance(body, dict | list):
            self.paths.add(())


def _chain(node: Json) -> Path | None:
    """Return the names between `context` and this node; `None` if it is not a chain that begins at
    `context`.
    """
    names: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        if node.get("Var") == "context":
            return tuple(reversed(names))
        if "." not in node:
            return None
        names.append(node["."]["attr"])
        node = node["."]["left"]
    return None


def of_policy(policy: Json) -> Reads:
    """Return what the conditions of one policy (Cedar's JSON form) read."""
    reads = Reads()
    for condition in policy.get("conditions", []):
        reads.expression(condition.get("body"))
    return reads
