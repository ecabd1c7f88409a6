# SPDX-License-Identifier: Apache-2.0
"""Audiences by the organisation's directory: who the addresses in a call belong to.

A tool names the arguments that hold addresses (`audience_by`). For each audience of `directory` in
`remit.yaml` the tool gets variants: calls in which every address belongs to that audience, to a group within
it, or to `self`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from remit.config.sections.directory import is_domain
from remit.core.json_value import Json
from remit.core.label import Classes


def by_width(directory: Mapping[str, str], classes: Classes) -> list[str]:
    """Return the audiences of addresses, the narrowest first: a group comes before what it lies within."""
    found = {outer for one in directory.values() for outer in classes.around(one)}
    return sorted(found, key=lambda one: (one != "self", -len(classes.around(one)), one))


def narrowings(
    by: Sequence[str], directory: Mapping[str, str], audience: str, classes: Classes
) -> Iterator[dict[str, Json]]:
    """Yield constraints on arguments, by name: every address belongs to the audience, and there is one."""
    one = belonging(directory, audience, classes)
    if one is None:
        return
    some: Json = {"any": [one, {"all": [{"each": one}, {"length": {"min": 1}}]}]}
    rest: Json = {"optional": {"any": [{"exact": None}, one, {"each": one}]}}
    for name in by:
        yield {other: some if other == name else rest for other in by}


def belonging(directory: Mapping[str, str], audience: str, classes: Classes) -> Json:
    """Return the constraint on one address; None where the directory has none of the audience."""
    own = [name for name, whose in directory.items() if whose == "self" or audience in classes.around(whose)]
    if not any(audience in classes.around(directory[name]) for name in own):
        return None
    domains = [name for name in own if is_domain(name)]
    names = [name for name in own if not is_domain(name)]
    # An address comes before its domain.
    others: list[Json] = [name for name in directory if name not in own and not is_domain(name)]
    found: list[Json] = [{"one_of": names}] if names else []
    if domains:
        within: Json = {"email_domain": domains}
        # `boss+x@corp.example` may reach `boss@corp.example`, whose audience is another one.
        outside: list[Json] = [{"not": {"one_of": others}}, {"not": {"pattern": r"[^@]*\+.*"}}]
        found.append({"all": [within, *outside]} if others else within)
    return {"any": found}
