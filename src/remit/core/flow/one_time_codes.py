# SPDX-License-Identifier: Apache-2.0
"""One-time codes that arrived in messages of described senders: where each may go, once.

A tool file says which result field names a message's sender (`sender`). For a secret argument, it says who
sends the code and which tools read the message (`one_time`). Such a code may fill that argument, and no other
argument may carry it.

INVARIANT: codes are kept as keyed digests, never as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from remit.core.cooperative_steps import Steps, WorkCount
from remit.core.flow.arguments.argument_walk import found_in
from remit.core.flow.justification import Justification, leaves
from remit.core.flow.language.vocabulary.code_words import (
    MAX_CODE,
    MAX_MESSAGE,
    code_of,
    codes_in,
    in_digits,
    names_code,
    only_code,
    spellings_in,
)
from remit.core.flow.language.word_forms import words_of
from remit.core.flow.records.field_labels import spelled
from remit.core.flow.records.record import Reading, ResultLeaf
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.normal_text import folded
from remit.core.flow.values.strict_reading import exact
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import Argument, Tool

MAX_CODES = 1_000
"""Codes of described senders that one task remembers, and codes of others."""
CODE_BYTES = 600
MAX_PARTS = 10_000
"""Texts of one call in which codes are looked for; one with more counts as carrying a code."""
SPELLINGS = 128
"""Readings of a text in one step."""


class ArrivedCode(msgspec.Struct):
    """A code: the tools that read it, and for each message the described senders that its sender is.

    `proven` is false where outsiders can have chosen the sender, `alone` where two messages of one result
    tell the code.
    """

    tools: set[str]
    senders: set[frozenset[str]]
    proven: bool = True
    alone: bool = True

    @property
    def secret(self) -> bool:
        """Whether a described sender sent it."""
        return any(self.senders)


class ArrivedCodes:
    """The one-time codes that a task and the tasks below it have met."""

    def __init__(self, key: bytes) -> None:
        """Begin empty; `key` is random and belongs to the task."""
        self._key = key
        self._codes: dict[int, ArrivedCode] = {}
        #: How many codes of described senders (True) and of others can still be remembered.
        self._left = {True: MAX_CODES, False: MAX_CODES}
        #: Whether a code was met that could not be remembered: then every number may be one.
        self._full = False
        self._used: set[int] = set()
        #: Codes that the person wrote: they may go where the person says.
        self._stated: set[int] = set()

    @property
    def met(self) -> bool:
        """Whether any code is known."""
        return bool(self._codes)

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the codes."""
        return CODE_BYTES * len(self._codes)

    def hear(self, text: str) -> None:
        """Add words or a parameter of the person."""
        self._stated.update(map(self._digest, spellings_in(folded(text[:MAX_MESSAGE]))))

    def take(self, result: Json, tool: Tool) -> Steps[None]:
        """Remember the codes in the messages of a result."""
        if not tool.code_senders:
            return
        reading, work = Reading(result, tool), WorkCount()
        messages: dict[int, list[ResultLeaf]] = {}
        unread = False
        for leaf in reading.steps():
            if leaf is None or work.over(leaf.text):
                yield
            if leaf is not None:
                unread = unread or not leaf.path
                messages.setdefault(leaf.record, []).append(leaf)
        if reading.cut or unread:
            # INVARIANT: a text outside the fields can name another sender to another reader.
            return
        found: dict[int, dict[frozenset[tuple[str, str]], list[ResultLeaf]]] = {}
        for at, message in messages.items():
            record = at
            while not (who := _senders(tool, messages.get(record, ()))) and reading.above[record] != record:
                record = reading.above[record]
            # A server may return one message twice, as structure and as text.
            same = frozenset((one.path, one.text) for one in messages.get(record, ()))
            for code in _codes_of(message, who) if who else ():
                found.setdefault(self._digest(code), {})[same] = who
            yield
        for digest, senders in found.items():
            self._add(digest, tool, list(senders.values()))

    def _add(self, digest: int, tool: Tool, messages: list[list[ResultLeaf]]) -> None:
        senders = {
            frozenset.intersection(*(_described(one.text, tool.code_senders) for one in who))
            for who in messages
        }
        known = self._codes.get(digest)
        if known is None:
            # Codes that others write must not leave out those of described senders.
            secret = any(senders)
            if not self._left[secret]:
                self._full = self._full or secret
                return
            self._left[secret] -= 1
            known = self._codes[digest] = ArrivedCode(set(), set())
        known.tools.add(tool.id)
        known.senders |= senders
        known.proven = known.proven and all(
            one.label.trust is Trust.TRUSTED for who in messages for one in who
        )
        known.alone = known.alone and len(messages) == 1

    def fitting(self, value: Json, spec: Argument) -> ArrivedCode | None:
        """Return the unused code that a value is, where it may fill an argument; None otherwise."""
        rule = spec.one_time
        if rule is None or not isinstance(value, str | int) or not (code := code_of(str(value))):
            return None
        digest = self._digest(code)
        known = self._codes.get(digest)
        if known is None or digest in self._used or not known.alone:
            return None
        ours = all(not one.isdisjoint(rule.senders) for one in known.senders)
        return known if ours and known.tools <= set(rule.read_by) else None

    def use(self, value: Json) -> bool:
        """Record that a permitted call uses a code; return whether an earlier call used it."""
        digest = self._digest(code_of(str(value)))
        used = digest in self._used
        self._used.add(digest)
        return used

    def within(self, value: Json) -> Steps[bool]:
        """Return whether a value holds a code that the person did not write, in any spelling or encoding."""
        if not self._full and not any(one.secret for one in self._codes.values()):
            return False
        parts = list(islice(_all_texts(value), MAX_PARTS + 1))
        if len(parts) > MAX_PARTS:
            return True
        # A code in several parts, in their order.
        whole = " ".join(one for one in parts if len(one) <= MAX_CODE)
        for leaf in (*parts, whole):
            read: list[str] = []
            for _ in found_in(leaf, read):
                yield
            for text in read:
                for count, one in enumerate(spellings_in(in_digits(folded(text)))):
                    digest = self._digest(one)
                    known = self._codes.get(digest)
                    secret = self._full or (known is not None and known.secret)
                    if secret and digest not in self._stated:
                        return True
                    if not count % SPELLINGS:
                        yield
        return False

    def _digest(self, code: str) -> int:
        return hash((self._key, code))


def _all_texts(value: Json) -> Iterator[str]:
    """Yield the texts of an argument, and each of its keys."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from _all_texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _all_texts(below)
    else:
        yield from leaves(value)


def _senders(tool: Tool, message: Sequence[ResultLeaf]) -> list[ResultLeaf]:
    """Return the senders of a message, in whatever the server wraps it, and in every spelling of the name."""
    wanted = "." + spelled(tool.sender)
    return [one for one in message if f".{spelled(one.path)}".endswith(wanted)]


def _codes_of(message: Sequence[ResultLeaf], who: Sequence[ResultLeaf]) -> set[str]:
    """Return the codes that a message tells; one text may name the code that is another text."""
    texts = [one.text for one in message if one not in who]
    found = set().union(*map(codes_in, texts))
    if any(names_code(word) for text in texts for word in words_of(text[:MAX_MESSAGE])):
        found.update(filter(None, map(only_code, texts)))
    return found


def _described(sender: str, known: Sequence[str]) -> frozenset[str]:
    """Return the descriptions that a sender meets: an address, the domain of an address, or another name."""
    found = exact(sender)
    forms = {found.normal}
    if found.kind is KindOfValue.EMAIL:
        forms.add(found.normal.rpartition("@")[2])
    return frozenset(one for one in known if exact(one).normal in forms)


class EnteredCode(msgspec.Struct, frozen=True):
    """What is known of the secrets of a call that the person did not state.

    `arrived`: each is an unused code that arrived for its argument, and the person stated everything else of
    the call. `proven`: outsiders cannot have chosen the senders.
    """

    arrived: bool = False
    proven: bool = False


NO_CODE = EnteredCode()


def entered(
    codes: ArrivedCodes, tool: Tool, parts: dict[str, Json], found: Mapping[str, Justification]
) -> EnteredCode:
    """Return what is known of the secrets of a call; `found` has what is known of each argument.

    INVARIANT: a code never passes with an argument that the person did not decide, such as a switch: the same
    code would permit another action.
    """
    arrived: list[ArrivedCode] = []
    for name, value in parts.items():
        spec, one = tool.arguments.get(name), found.get(name)
        if one is not None and one.reached:
            continue
        known = codes.fitting(value, spec) if spec is not None and spec.secret else None
        if known is not None:
            arrived.append(known)
        else:
            # An empty value, too, may switch something off.
            return NO_CODE
    return EnteredCode(bool(arrived), all(one.proven for one in arrived)) if arrived else NO_CODE
