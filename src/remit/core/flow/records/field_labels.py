# SPDX-License-Identifier: Apache-2.0
"""The labels of a tool's fields, by path or by name, however the name is spelled."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from remit.core.flow.values.normal_text import folded
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.constraint import Verdict
from remit.core.tools.tool import FieldLabel

KEYS, VALUES = "_keys", "_values"
"""The last step of a path that means the keys of a map (`balances._keys`), or its values."""
_SEPARATORS = str.maketrans("", "", " _-")


@functools.lru_cache(4096)
def spelled(name: str) -> str:
    """Return a name without case, spaces, underscores and hyphens: `Postal code` is `postal_code`."""
    return folded(name).translate(_SEPARATORS) or name


def holds(field: FieldLabel, beside: dict[str, Json]) -> bool:
    """Return whether a field's siblings meet its conditions; a missing or undecided sibling does not."""
    return all(name in beside and one.judge(beside[name]) is Verdict.YES for name, one in field.when.items())


class FieldLabels:
    """The labels of a tool's fields. The name as written in the file comes before another spelling of it.

    INVARIANT: what stands below a field that is untrusted in every case is untrusted, unless the file has its
    path: a server may return a structure where it returned a text.
    """

    def __init__(self, fields: Sequence[FieldLabel]) -> None:
        """Take the fields in the order of the file."""
        self._exact: dict[str, list[FieldLabel]] = {}
        self._spelled: dict[str, list[FieldLabel]] = {}
        self._maps: set[str] = set()
        self._last: set[str] = set()
        self._steps: set[str] = set()
        for field in fields:
            self._last.add(spelled(field.path.rpartition(".")[2]))
            self._exact.setdefault(field.path, []).append(field)
            self._steps.update(spelled(one.removesuffix("[]")) for one in field.path.split("."))
            around, _, last = field.path.rpartition(".")
            if last in (KEYS, VALUES):
                self._maps.add(spelled(around))
                self._spelled.setdefault(f"{spelled(around)}.{last}", []).append(field)
            else:
                self._spelled.setdefault(spelled(field.path), []).append(field)
        self._foreign = {
            name
            for name, some in self._spelled.items()
            if all(one.label.trust is Trust.UNTRUSTED and not one.when for one in some)
        }

    def of(self, path: str, name: str) -> Sequence[FieldLabel]:
        """Return the entries of a field, in the order of the file; of a map (`balances{}`), of its values."""
        if not self._exact:
            return ()
        if self._maps and "{}" in path:
            found = self._of_map(path, VALUES)
            if found:
                return found
        for known, wanted in (
            (self._exact, (path, path.removeprefix("[]."))),
            (self._spelled, (spelled(path), spelled(path.removeprefix("[].")))),
        ):
            for one in wanted:
                if one in known:
                    return known[one]
        around = self._around(path) if self._foreign and "." in path else ()
        return around or self._exact.get(name) or self._spelled.get(spelled(name)) or ()

    def _around(self, path: str) -> Sequence[FieldLabel]:
        """Return the entries of the untrusted field in which a field stands."""
        steps = [one.partition("[")[0].partition("{")[0] for one in path.split(".")[:-1]]
        for count, step in enumerate(steps, 1):
            for one in (spelled(step), spelled(".".join(steps[:count]))):
                if one in self._foreign:
                    return self._spelled[one]
        return ()

    def of_keys(self, path: str, name: str) -> Sequence[FieldLabel]:
        """Return the entries of the keys of a map (`balances{}`)."""
        return (self._of_map(path, KEYS) if self._maps else ()) or self.of(path, name)

    def is_map(self, path: str, name: str) -> bool:
        """Return whether the file says that the keys of an object are values."""
        return bool(self._maps) and any(spelled(one) in self._maps for one in (path, _bare(path), name))

    def names(self, key: str) -> bool:
        """Return whether a key of several words is the name of a field (`Postal code`), and no value."""
        return " " in key and spelled(key) in self._last

    def mentions(self, key: str) -> bool:
        """Return whether a key of an object is a step of a path in the file."""
        return spelled(key) in self._steps

    def _of_map(self, path: str, part: str) -> Sequence[FieldLabel]:
        around, _, below = path.rpartition("{}")
        last = around.rpartition(".")[2].replace("[]", "")
        for one in (around, _bare(around), last):
            if found := self._spelled.get(f"{spelled(one)}.{part}"):
                return () if below else found
        return ()


NO_LABELS = FieldLabels(())


def _bare(path: str) -> str:
    return path.removeprefix("[].")
