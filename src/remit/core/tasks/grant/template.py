# SPDX-License-Identifier: Apache-2.0
"""Grants as written in task types, with placeholders for the task's parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tasks.grant.conjunction import Grant
from remit.core.tasks.grant.layer import Ceilings
from remit.core.tasks.grant.parsing import check_tool, convert_written, keyed
from remit.core.tools.constraint import Parameters, fill, load, names_in, sample


class GrantTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A grant as written in a task type: strings in constraints and numbers in ceilings may be
    `{parameter}`s.

    The constructor checks everything except the parameters' values; raises `ConfigInvalid`.
    """

    tool: str
    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: dict[str, Json] = {}

    def __post_init__(self) -> None:
        check_tool(self.tool)
        for name, spec in self.arguments.items():
            load(keyed(partial(sample, spec), f"arguments.{name}"), f"arguments.{name}")
        _ceilings(_closed(self.ceilings))

    @classmethod
    def load(cls, written: Json, key: str = "grant") -> GrantTemplate:
        """Parse the written form; raise `ConfigInvalid` that names the key."""
        return keyed(lambda: convert_written(written, cls), key)

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of all parameters that the template refers to."""
        parts = [{"exact": self.ceilings}, *self.arguments.values()]
        return frozenset(name for part in parts for name in names_in(part))

    def check(self, parameters: Collection[str]) -> None:
        """Check that each placeholder names a declared parameter; raise `ConfigInvalid` if not."""
        for name in sorted(self.placeholders.difference(parameters)):
            known = ", ".join(f"`{{{known}}}`" for known in sorted(parameters)) or "none"
            raise ConfigInvalid(
                f"grant of `{self.tool}` has the unknown placeholder `{{{name}}}`",
                remediation=f"declared are: {known}",
            )

    def instantiate(self, params: Mapping[str, Json], *, paths: Collection[str] = ()) -> Grant:
        """Return the grant for these parameters; `paths` names those that may hold several path components.

        Raises `ConfigInvalid` for a missing parameter, and for one that could mean more than its place
        allows.
        """
        given = Parameters(params, paths)
        arguments = {}
        for name, spec in self.arguments.items():
            filled = keyed(partial(fill, spec, given), f"arguments.{name}")
            arguments[name] = load(filled, f"arguments.{name}").spec()
        filled = keyed(lambda: fill({"exact": self.ceilings}, given)["exact"], "ceilings")
        return Grant(self.tool, arguments, self.other_arguments, _ceilings(filled))


def _ceilings(written: Json) -> Ceilings:
    return keyed(lambda: convert_written(written, Ceilings), "ceilings")


def _closed(written: dict[str, Json]) -> dict[str, Json]:
    """Return the ceilings without placeholders."""
    out = {
        key: bound for key, bound in written.items() if type(bound) is dict or not names_in({"exact": bound})
    }
    return {key: _closed(bound) if type(bound) is dict else bound for key, bound in out.items()}
