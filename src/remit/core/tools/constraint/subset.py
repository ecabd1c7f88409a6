# SPDX-License-Identifier: Apache-2.0
"""Comparison of constraints: whether one permits no more than another. Used to explain and simplify, never to
decide.

`YES` is a proof for all values, `NO` rests on a counterexample, and `UNDECIDED` is everything else: then both
constraints stay. Hard cases are left undecided.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from remit.core.json_value import Json
from remit.core.tools.constraint.address import EmailDomain, UrlHost
from remit.core.tools.constraint.base import YES, Constraint
from remit.core.tools.constraint.composed import AllOf, AnyOf, Anything, Not, OptionalArgument
from remit.core.tools.constraint.path import Glob, PathUnder
from remit.core.tools.constraint.prefix import Prefix
from remit.core.tools.constraint.structure import Each, Fields, Length, Range
from remit.core.tools.constraint.text import Exact, OneOf


class Subset(enum.Enum):
    """Whether one constraint permits only what another permits."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


def is_subset(child: Constraint, parent: Constraint) -> Subset:
    """Compare two constraints on one argument, including its absence."""
    if child.may_be_absent and not parent.may_be_absent:
        return Subset.NO
    if _implied(child, parent):
        return Subset.YES
    for witness in _samples(child):
        if child.judge(witness) is YES and parent.judge(witness) is not YES:
            return Subset.NO
    return Subset.UNDECIDED


def _implied(child: Constraint, parent: Constraint) -> bool:
    """Return whether, for every present value, the child's `YES` provably implies the parent's."""
    child, parent = _present(child), _present(parent)
    if isinstance(parent, Anything) or child == parent:
        return True
    if isinstance(child, Exact):
        return parent.judge(child.value) is YES
    if isinstance(child, OneOf):
        return all(parent.judge(value) is YES for value in child.values)
    if isinstance(parent, AllOf):
        return all(_implied(child, part) for part in parent.parts)
    if isinstance(child, AnyOf):
        return all(_implied(part, parent) for part in child.parts)
    if isinstance(child, AllOf) and any(_implied(part, parent) for part in child.parts):
        return True
    if isinstance(parent, AnyOf):
        return any(_implied(child, part) for part in parent.parts)
    return _implied_by_kind(child, parent)


def _present(constraint: Constraint) -> Constraint:
    return constraint.part if isinstance(constraint, OptionalArgument) else constraint


def _implied_by_kind(child: Constraint, parent: Constraint) -> bool:
    match child, parent:
        case Range(), Range():
            return _above(child.low, parent.low, 1) and _above(child.high, parent.high, -1)
        case Length(), Length():
            return child.low >= parent.low and (
                parent.high is None or (child.high is not None and child.high <= parent.high)
            )
        case Prefix(), Prefix():
            return child.text.startswith(parent.text)
        case PathUnder(), PathUnder():
            return parent.judge(child.directory) is YES
        case Glob(), PathUnder():
            return parent.judge(child.root) is YES
        case EmailDomain(), EmailDomain():
            return _names_within(child.domains, parent.domains)
        case UrlHost(), UrlHost():
            return set(child.schemes) <= set(parent.schemes) and _names_within(child.hosts, parent.hosts)
        case Each(), Each():
            return _implied(child.element, parent.element)
        case Fields(), Fields():
            return _fields_within(child, parent)
        case _:
            return False


def _above(
    child: tuple[int | float, bool] | None, parent: tuple[int | float, bool] | None, sign: int
) -> bool:
    if parent is None:
        return True
    if child is None:
        return False
    return sign * child[0] > sign * parent[0] or (child[0] == parent[0] and child[1] >= parent[1])


def _names_within(child: tuple[str, ...], parent: tuple[str, ...]) -> bool:
    """Return whether each entry is an entry of the parent, or a name without a port below one of its
    suffixes.
    """
    suffixes = tuple(name for name in parent if name[0] == "." and ":" not in name)
    return all(
        name in parent
        or (bool(suffixes) and ":" not in name and name[-1].isalpha() and name.endswith(suffixes))
        for name in child
    )


def _fields_within(child: Fields, parent: Fields) -> bool:
    if not child.fields.keys() <= parent.fields.keys():
        return False
    for name, mine in parent.fields.items():
        own = child.fields.get(name)
        if own is None:
            if not mine.may_be_absent:
                return False
        elif (own.may_be_absent and not mine.may_be_absent) or not _implied(own, mine):
            return False
    return True


def _samples(constraint: Constraint) -> Iterator[Json]:  # noqa: PLR0912  one case for each kind
    """Yield a few values that a constraint may permit; the caller verifies each."""
    match _present(constraint):
        case Exact() as exact:
            yield exact.value
        case OneOf() as one_of:
            yield from one_of.values
        case Prefix() as prefix:
            yield from (prefix.text, prefix.text + "x")
        case PathUnder() as under:
            yield from (under.directory, under.directory.rstrip("/.") + "/x/y", "x/y")
        case Glob() as glob:
            yield glob.glob.replace("**", "x").replace("*", "x").replace("?", "x")
        case Range() as bounds:
            for bound in (bounds.low, bounds.high):
                if bound is not None:
                    yield from (bound[0], bound[0] - 1, bound[0] + 1, bound[0] - 10**9, bound[0] + 10**9)
        case Length() as length:
            for size in (length.low, length.low + 1, length.low + 100):
                if size <= 1000:
                    yield from ("x" * size, ["x"] * size)
        case EmailDomain() as mail:
            yield from (f"x@{'x' if d[0] == '.' else ''}{d}" for d in mail.domains)
        case UrlHost() as url:
            yield from (f"{s}://{'x' if h[0] == '.' else ''}{h}/" for s in url.schemes for h in url.hosts)
        case AnyOf() | AllOf() as several:
            for part in several.parts:
                yield from _samples(part)
        case Each() as each:
            yield from ([item] for item in _samples(each.element))
        case Not() | Anything():
            yield from ("x", 0, True, None)
        case _:
            return
