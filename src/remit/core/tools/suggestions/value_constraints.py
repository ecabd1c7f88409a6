# SPDX-License-Identifier: Apache-2.0
"""Constraints that fit the observed values of an argument, as tight as the evidence allows.

A set of values is closed if hardly any call brings a new one: the share of values that were seen once
estimates the share of calls that will bring an unseen one (Good and Turing). A closed set is named value by
value, without the values that were seen once: one strange call in a thousand must not become a permission.
Nor must a value of another form than all others, or a number far beyond them, up to `spare` of them.

An open set is described by what all its values share, and only if that is closed itself: the hosts of
addresses, the domains of mailboxes, the folders of paths, the shape of ids. What remains is bounded by its
length or its range alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools import constraint
from remit.core.tools.constraint.address import split_url
from remit.core.tools.constraint.base import is_number, type_name
from remit.core.tools.constraint.path import path_fault

#: The share of calls that may bring an unseen value into a closed set.
MAX_NEW: Final = 0.002
#: Values below which nothing is known of a set.
MIN_SEEN: Final = 20
MAX_NAMED: Final = 40
MAX_FOLDERS: Final = 8
MAX_SHAPES: Final = 4
MIN_LENGTH: Final = 1_000
#: A number is an outlier if it is this many times the next lower one.
FAR: Final = 10

_MAILBOX: Final = re.compile(r"[^@\s]+@[^@\s]+")
_MAX_SHAPE: Final = 40


class ValueConstraint(msgspec.Struct, frozen=True):
    """A constraint in the form of a grant, and the evidence for it in words.

    `free` says that it limits no more than size. `left_out` are values that were seen once, and are not
    covered.
    """

    spec: dict[str, Json]
    why: str
    free: bool = False
    left_out: tuple[str, ...] = ()


def constrained(values: Sequence[Json], spare: int = 0) -> ValueConstraint:
    """Return the constraint that fits these values of one argument.

    As many as `spare` values that were seen once may be left out, however few values there are.
    """
    groups: dict[str, list[Json]] = {}
    for one in values:
        groups.setdefault(type_name(one), []).append(one)
    found = [_of_kind(kind, group, spare) for kind, group in sorted(groups.items())]
    if len(found) == 1:
        return found[0]
    return ValueConstraint(
        {"any": [one.spec for one in found]},
        "; or ".join(one.why for one in found),
        any(one.free for one in found),
        tuple(value for one in found for value in one.left_out),
    )


def _of_kind(kind: str, values: Sequence[Json], spare: int) -> ValueConstraint:
    first = values[0]
    if isinstance(first, str):
        return _of_texts([str(one) for one in values], spare)
    if isinstance(first, bool) or first is None:
        counts = Counter(values)
        known = closed(counts, spare) or list(counts)
        return _left_out(_named(Counter({one: counts[one] for one in known}), len(values)), counts, known)
    if is_number(first):
        return _of_numbers([one for one in values if isinstance(one, int | float)], spare)
    if isinstance(first, list):
        items = [item for one in values for item in one]
        if not items:
            return ValueConstraint({"length": {"max": 0}}, f"empty in all of {len(values)}")
        each = constrained(items, spare)
        return msgspec.structs.replace(each, spec={"each": each.spec}, why=f"each item: {each.why}")
    return ValueConstraint({"anything": {}}, f"{kind}, seen {len(values)} times: not limited", free=True)


def closed(values: Iterable[str] | Counter[Json], spare: int = 0) -> list[Json] | None:
    """Return the values of a closed set without those seen once, most frequent first; None if it is open."""
    counts: Counter[Json] = values if isinstance(values, Counter) else Counter(values)
    total = counts.total()
    once = sum(1 for count in counts.values() if count == 1)
    if total < MIN_SEEN or once > max(total * MAX_NEW, spare):
        return None
    return [value for value, count in counts.most_common() if count > 1]


def _named(counts: Counter[Json], total: int) -> ValueConstraint:
    known = [value for value, _ in counts.most_common()]
    spec: dict[str, Json] = {"exact": known[0]} if len(known) == 1 else {"one_of": known}
    return ValueConstraint(spec, f"{_count(len(known), 'value')} in {_count(total, 'use')}")


def _of_numbers(values: Sequence[float], spare: int) -> ValueConstraint:
    counts: Counter[Json] = Counter(values)
    known = closed(counts, spare)
    if known and len(known) <= MAX_SHAPES * 2:
        return _left_out(_named(Counter({one: counts[one] for one in known}), len(values)), counts, known)
    ranked = sorted(values)
    outliers: list[str] = []
    while len(outliers) < spare and len(ranked) > MIN_SEEN and ranked[-1] > FAR * max(ranked[-2], 1):
        outliers.append(_short(ranked.pop()))
    low, high = ranked[0], ranked[-1]
    span = max(high - low, abs(high), 1)
    least = low - span if low < 0 else min(low, 1) if low >= 1 else 0
    most = high + span
    if all(isinstance(one, int) for one in values):
        least, most = math.floor(least), math.ceil(most)
    why = f"{_short(low)} to {_short(high)} in {_count(len(values), 'use')}"
    return ValueConstraint({"range": {"min": least, "max": most}}, why, left_out=tuple(outliers))


def _of_texts(values: Sequence[str], spare: int) -> ValueConstraint:
    counts: Counter[Json] = Counter(values)
    known = closed(counts, spare)
    if known and len(known) <= MAX_NAMED and all(_plain(str(one)) for one in known):
        return _left_out(_named(Counter({one: counts[one] for one in known}), len(values)), counts, known)
    for form in (_of_addresses, _of_mailboxes, _of_paths, _of_ids):
        if (found := form(values, spare)) is not None and _permits(found.spec, values, found.left_out):
            return found
    most = max(MIN_LENGTH, 4 * max(map(len, values)))
    why = f"free text of up to {max(map(len, values))} characters in {_count(len(values), 'use')}"
    return ValueConstraint({"length": {"max": most}}, why, free=True)


def _of_addresses(values: Sequence[str], spare: int) -> ValueConstraint | None:
    fit, misfits = _fitting(values, lambda one: not isinstance(split_url(one), str))
    split = [found for one in fit if not isinstance(found := split_url(one), str)]
    if not split or len(misfits) > spare:
        return None
    hosts = [f"{host}:{port}" if port else host for _, host, port in split]
    schemes = sorted({scheme for scheme, _, _ in split})
    return _of_parts(
        misfits, hosts, "host", lambda known: {"url_host": {"hosts": known, "schemes": schemes}}, spare
    )


def _of_mailboxes(values: Sequence[str], spare: int) -> ValueConstraint | None:
    fit, misfits = _fitting(values, lambda one: _MAILBOX.fullmatch(one) is not None)
    if not fit or len(misfits) > spare:
        return None
    domains = [one.rpartition("@")[2].lower() for one in fit]
    return _of_parts(misfits, domains, "mail domain", lambda known: {"email_domain": known}, spare)


def _of_parts(
    misfits: Sequence[str],
    parts: Sequence[str],
    what: str,
    spec: Callable[[list[Json]], dict[str, Json]],
    spare: int,
) -> ValueConstraint | None:
    known = closed(parts, spare - len(misfits))
    if not known or len(known) > MAX_NAMED:
        return None
    made = ValueConstraint(spec(sorted(known)), f"{_count(len(known), what)} in {_count(len(parts), 'use')}")
    made = _left_out(made, Counter(parts), known)
    return msgspec.structs.replace(made, left_out=(*made.left_out, *misfits))


def _fitting(values: Sequence[str], fits: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the values of a form, and the others."""
    fit = [one for one in values if fits(one)]
    return fit, [one for one in values if not fits(one)] if len(fit) < len(values) else []


def _of_paths(values: Sequence[str], spare: int) -> ValueConstraint | None:
    fit, misfits = _fitting(values, lambda one: ("/" in one or "." in one) and not path_fault(one))
    rooted = sum(one.startswith("/") for one in fit) * 2 > len(fit)
    fit, others = _fitting(fit, lambda one: one.startswith("/") is rooted)
    misfits += others
    if not fit or len(misfits) > spare or sum("/" in one for one in fit) * 2 < len(fit):
        return None
    for depth in range(max(one.count("/") for one in fit), 0, -1):
        folders = ["/".join(one.split("/")[:-1][: depth + rooted]) for one in fit]
        known = closed(folders, spare - len(misfits))
        roots = _outermost([str(one) for one in known or () if one])
        covered = [one for one in folders if any(_inside(one, root) for root in roots)]
        outside = [one for one in folders if one not in set(covered)]
        if roots and len(roots) <= MAX_FOLDERS and len(outside) <= max(len(fit) * MAX_NEW, spare):
            spec = [{"path_under": one} for one in roots]
            why = f"{_count(len(roots), 'folder')} in {_count(len(fit), 'use')}"
            made = ValueConstraint(spec[0] if len(spec) == 1 else {"any": spec}, why)
            return msgspec.structs.replace(made, left_out=(*sorted(outside), *misfits))
    if rooted:
        return None
    why = f"relative paths in {_count(len(fit), 'use')}"
    return ValueConstraint({"path_under": "."}, why, left_out=tuple(misfits))


def _outermost(folders: Sequence[str]) -> list[str]:
    """Return the folders that lie in no other one."""
    return sorted(one for one in folders if not any(_inside(one, other) for other in folders if other != one))


def _inside(folder: str, root: str) -> bool:
    return folder == root or folder.startswith(f"{root}/")


def _of_ids(values: Sequence[str], spare: int) -> ValueConstraint | None:
    """Return the shape of ids (`INV-2041`): its letters and signs are fixed, its digits are not."""
    fit, misfits = _fitting(values, _is_id)
    if not fit or len(misfits) > spare:
        return None
    shapes: Counter[Json] = Counter(re.sub("[0-9]+", "0", one) for one in fit)
    known = closed(shapes, spare - len(misfits))
    if not known or len(known) > MAX_SHAPES or any(len(str(one)) > _MAX_SHAPE for one in known):
        return None
    longest = max(len(digits) for one in fit for digits in re.findall("[0-9]+", one))
    digits = f"[0-9]{{1,{2 * longest}}}"
    patterns = [{"pattern": digits.join(map(_literal, str(one).split("0")))} for one in sorted(known)]
    why = f"{_count(len(known), 'shape')} of ids in {_count(len(fit), 'use')}"
    spec: dict[str, Json] = patterns[0] if len(patterns) == 1 else {"any": patterns}
    made = _left_out(ValueConstraint(spec, why), shapes, known)
    return msgspec.structs.replace(made, left_out=(*made.left_out, *misfits))


def _literal(text: str) -> str:
    return re.escape(text).replace("\\-", "-")


def _permits(spec: dict[str, Json], values: Sequence[str], left_out: Sequence[str]) -> bool:
    """Return whether a constraint is valid, and permits nearly everything that it was learnt from."""
    try:
        made = constraint.load(spec, "suggestion")
    except ConfigInvalid:
        return False
    refused = sum(made.judge(one) is not constraint.Verdict.YES for one in values)
    return refused <= max(len(values) * MAX_NEW, len(left_out))


def _plain(value: str) -> bool:
    """Return whether a value can stand in a grant: braces name parameters there."""
    return "{" not in value and "}" not in value and value.isprintable() and len(value) <= 200


def _left_out(made: ValueConstraint, counts: Counter[Json], known: Sequence[Json]) -> ValueConstraint:
    rest = tuple(str(one) for one in counts if one not in known)
    return msgspec.structs.replace(made, left_out=rest) if rest else made


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _short(number: float) -> str:
    return f"{number:g}"


def _is_id(value: str) -> bool:
    """Return whether a value may be an id: it has digits, and is neither a text nor an address."""
    return (
        any(map(str.isdigit, value)) and _plain(value) and not any(one in value for one in (" ", "://", "@"))
    )
