# SPDX-License-Identifier: Apache-2.0
"""Values that an agent used before its task read anything untrusted.

An attacker speaks only through what a task reads. So a value that the agent used before that is not the
attacker's choice, even if untrusted data holds it later: it stays `unknown` and does not become `untrusted`.
If the person's words name its distinguishing part (`gaugekit` of `tidewater/gaugekit`), the value counts as
reached.

INVARIANT: such a value vouches only for itself. It anchors no call, and leads to no other value or record.
A value counts only for arguments of the same name at the same upstream. A value without letters counts only
for tools whose names have the same nouns: numbers of different things collide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from remit.core.flow.arguments.argument_walk import is_long, walk
from remit.core.flow.justification import Justification, Provenance, Reach, leaves
from remit.core.flow.language.tool_verbs import asking, verbs_and_nouns
from remit.core.flow.language.word_forms import name_words, words_of
from remit.core.flow.stated_values import Statement
from remit.core.flow.values.file_names import is_file_name
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import ExactValue, exact
from remit.core.json_value import Json
from remit.core.tasks.plan import Plan
from remit.core.tools.tool import LEADING, Effect, Tool

MAX_CLEAN = 4_000
"""Most values that are remembered for one task; later ones are not."""
MIN_PART = 3
"""Fewest letters and digits of a part that distinguishes a value."""
_TEXT, _EMAIL = KindOfValue.TEXT, KindOfValue.EMAIL
_STATING = ("exact", "one_of")


class CleanValues:
    """The values of one task, as keyed digests."""

    def __init__(self, key: bytes) -> None:
        """Begin empty; `key` is random and belongs to this task alone."""
        self._key = key
        self._used: set[int] = set()
        #: Owners of values that the person's words named when they were used.
        self._owners: set[int] = set()
        #: The values by which each call looked up, as digests.
        self._looked_up: dict[int, frozenset[int]] = {}
        self._lookups = 0

    def __len__(self) -> int:
        """Return the number of remembered digests."""
        return len(self._used) + len(self._owners) + self._lookups

    def use(self, tool: Tool, arguments: dict[str, Json], statement: Statement) -> None:
        """Remember the values of a permitted call."""
        for name, value in tool.parts(arguments).items():
            if counts(tool, name):
                pieces = islice(filter(None, walk(value, tool, name)), MAX_CLEAN)
                for piece in (one for one in pieces if not is_long(one)):
                    self._add(exact(piece), tool.upstream, tool.name, name)
                    owner = _owner(exact(piece))
                    if owner and len(self) < MAX_CLEAN and _is_named(statement, piece, tool, name):
                        self._owners.add(self._digest(owner, tool.upstream, tool.name, name))

    def look_up(self, call: int, tool: Tool, arguments: Mapping[str, Json]) -> None:
        """Remember the values by which a call looks up."""
        found = frozenset(
            self._key_of(exact(value), tool, name)
            for name, value in arguments.items()
            if isinstance(value, str) and counts(tool, name) and not is_long(value)
        )
        if found and tool.effect is Effect.NONE and len(self) + len(found) <= MAX_CLEAN:
            self._looked_up[call] = found
            self._lookups += len(found)

    def looked_up(self, calls: Iterable[int], used: ExactValue, tool: Tool, name: str) -> frozenset[int]:
        """Return those calls that looked up by a value for an argument of this name."""
        key = self._key_of(used, tool, name)
        return frozenset(one for one in calls if key in self._looked_up.get(one, ()))

    def _key_of(self, used: ExactValue, tool: Tool, name: str) -> int:
        return hash((self._key, tool.upstream, name, used.kind, used.normal))

    def plan(self, plan: Plan) -> None:
        """Remember the values that a plan states for arguments; the plan was made while the task was clean.

        The plan does not know roles: a value counts only where an argument leads.
        """
        for entry in plan:
            upstream, _, tool = entry.tool.partition("/")
            for name, bound in entry.arguments.items():
                stated = [bound[kind] for kind in _STATING if kind in bound] if type(bound) is dict else []
                for piece in islice((text for one in stated for text in leaves(one)), MAX_CLEAN):
                    if not is_long(piece):
                        self._add(exact(piece), upstream, tool, name)

    def holds(self, used: ExactValue, tool: Tool, name: str) -> bool:
        """Return whether a value was used for this argument."""
        return self._digest(used, tool.upstream, tool.name, name) in self._used

    def owns(self, used: ExactValue, tool: Tool, name: str) -> bool:
        """Return whether the owner of a value (`tidewater/...`) is that of a used value."""
        owner = _owner(used)
        return owner is not None and self._digest(owner, tool.upstream, tool.name, name) in self._owners

    def _add(self, used: ExactValue, upstream: str, tool: str, name: str) -> None:
        if used.normal and len(self) < MAX_CLEAN:
            self._used.add(self._digest(used, upstream, tool, name))

    def _digest(self, used: ExactValue, upstream: str, tool: str, name: str) -> int:
        lettered = any(map(str.isalpha, used.normal))
        nouns = None if lettered else verbs_and_nouns(name_words(tool))[1] or tool
        return hash((self._key, upstream, nouns, name, used.kind, used.normal))


def improved(
    found: Justification,
    held: Mapping[CleanValues, Statement],
    text: str,
    used: ExactValue,
    tool: Tool,
    name: str,
) -> Justification:
    """Return the justification of an unknown or untrusted value, if it was used while the task was clean.

    `held` has the clean values of the task and of the tasks above it, each with what was stated there.
    """
    clean = any(one.holds(used, tool, name) for one in held)
    if not clean and not any(one.owns(used, tool, name) for one in held):
        return found
    if any(one.of(text, tool, name, used) is not None for one in held.values()):
        # What the person stated is judged by the statement alone.
        return found
    if any(_is_named(one, text, tool, name, letter_by_letter=not clean) for one in held.values()):
        return Justification(Provenance.TRUSTED, None, found.origins, Reach.NAMED, clean=True)
    if not clean or found.provenance is Provenance.TRUSTED:
        return found
    return msgspec.structs.replace(found, provenance=Provenance.UNKNOWN, clean=True)


def named_part(held: Mapping[CleanValues, Statement], text: str, tool: Tool, name: str) -> str:
    """Return the part of a clean value that the words name; empty where they name none."""
    used = exact(text)
    for one, statement in held.items():
        if one.holds(used, tool, name) and counts(tool, name) and _is_named(statement, text, tool, name):
            return _part(used)
    return ""


def for_itself(one: Justification) -> Justification:
    """Return what a value proves for others: as a clean value, no more than an unknown one."""
    return Justification(Provenance.UNKNOWN, None, one.origins) if one.clean else one


def counts(tool: Tool, name: str) -> bool:
    """Return whether an earlier use counts for an argument: a destination or selector that is no secret."""
    spec = tool.arguments.get(name)
    return spec is not None and spec.role in LEADING and not spec.secret


def _is_named(
    statement: Statement, text: str, tool: Tool, name: str, *, letter_by_letter: bool = False
) -> bool:
    """Return whether the words name the distinguishing part of a value, for its use in a call.

    A payee and a person's record must be stated or found: a part of a value is no statement of them.
    """
    part = _part(exact(text))
    if not part or tool.financial or tool.arguments[name].personal:
        return False
    said, by = statement.utterance, asking(tool)
    forms = {part, " ".join(name_words(part))}
    if any(said.clauses.rule_out(one, by) for one in (*forms, text)):
        return False
    wording = said.wording
    named = any(map(wording.states, forms)) if letter_by_letter else said.names(part, words_of(part))
    return named and statement.meant(forms, exact(text), tool, name)


def _part(used: ExactValue) -> str:
    """Return the part of a value that distinguishes it from others of its owner; empty where it has none."""
    if used.kind is _EMAIL:
        part = used.normal.partition("@")[0]
    elif used.kind is _TEXT:
        part = used.normal.rstrip("/").rpartition("/")[2]
    else:
        return ""
    return part if sum(map(str.isalnum, part)) >= MIN_PART and any(map(str.isalpha, part)) else ""


def _owner(used: ExactValue) -> ExactValue | None:
    """Return the owner of a value in the form `owner/name`; None for any other value, and for files."""
    owner, mark, last = used.normal.partition("/")
    if used.kind is not _TEXT or not mark or not owner or not last or "/" in last or " " in used.normal:
        return None
    return None if "." in owner or ("." in last and is_file_name(last)) else ExactValue(_TEXT, f"{owner}/")
