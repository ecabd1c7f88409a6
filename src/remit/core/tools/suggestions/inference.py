# SPDX-License-Identifier: Apache-2.0
"""Guesses about a tool's arguments and result fields from the names in its schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.schema import MAX_NAME, SchemaPart
from remit.core.tools.tool import ArgumentRole, Effect

_SERVER_FORMATS: Final = frozenset({"uuid", "date-time"})
_BLANKS: Final = str.maketrans("", "", " _-")
MAX_KINDS: Final = 40
TEXTLESS: Final = frozenset({"integer", "number", "boolean", "null"})


class Guess(msgspec.Struct, frozen=True):
    """A value, the reason for it, and whether a person must review it before it counts."""

    value: str
    why: str
    review: bool = False


class ArgumentGuess(msgspec.Struct, frozen=True, kw_only=True):
    """The guess for one argument, or a part of one. `word` is the deciding word of its name.

    `unknown` says that nothing in its name or schema gives a hint.
    """

    path: str
    role: Guess
    word: str = ""
    secret: bool = False
    personal: bool = False
    hands_over: bool = False
    single: bool = False
    outward: bool = False
    mail: bool = False
    many: bool = False
    least: Json = None
    within: str = ""
    unknown: bool = False
    kinds: tuple[str, tuple[str, ...]] = ("", ())
    """The argument that states the kind of record, and its kinds that are no persons."""


class FieldGuess(msgspec.Struct, frozen=True, kw_only=True):
    """The guess for a field of the results, from its name; `withhold`: no agent needs it."""

    name: str
    trust: Guess
    withhold: bool = False


class Proposal(msgspec.Struct, frozen=True):
    """A field or an argument, why a form is proposed for it, and the arguments that replace it.

    `alone`: no other argument selects beside it.
    """

    path: str
    why: str
    unless: tuple[str, ...] = ()
    alone: bool = False


def argument(part: SchemaPart, tool: tuple[str, ...], effect: Effect) -> ArgumentGuess:
    """Return the guess for an argument of a tool with these words in its name, and this effect."""
    name = vocabulary.tokens(part.name)
    said = vocabulary.tokens(part.says)
    changes = effect is not Effect.NONE
    addressed = vocabulary.known(name, vocabulary.ADDRESS) or _secret(name, said)
    if changes and not addressed and (power := _power(part, name)):
        return power
    if part.types and part.types <= TEXTLESS - {"integer", "number"}:
        return _plain(part, Guess("content", "a switch"))
    if word := _secret(name, said):
        role = Guess("content", f"`{word}` is a secret; does the person give it?", review=True)
        return ArgumentGuess(path=part.path, role=role, word=word, secret=True)
    if word := vocabulary.known(name, vocabulary.CODE) or ("query" if _queries(name, said, tool) else ""):
        return _plain(part, Guess("code", f"`{word}` is executed"), word)
    if _numbers(part) and (word := vocabulary.known(name, vocabulary.AMOUNTS)):
        return _plain(part, Guess("amount", f"`{word}` is an amount"), word)
    if (
        changes
        and not part.about.get("format")
        and vocabulary.single(next(reversed(name), "")) in vocabulary.PROSE
    ):
        return _plain(part, Guess("content", f"`{name[-1]}`: text"))
    # The last word decides: a `to_account` is an account, an `account_id` is an id.
    address = vocabulary.known(tuple(reversed(name)), vocabulary.ADDRESS)
    if not address and part.about.get("format") in ("uri", "email", "hostname", "idn-email", "iri"):
        address = "uri" if part.about["format"] in ("uri", "iri") else "email"
    if address and not _numbers(part):
        return _reached(part, address, tool, changes)
    if word := vocabulary.known(tuple(reversed(name)), vocabulary.PARTY):
        return _reached(part, word, tool, changes)
    if isinstance(part.about.get("enum"), list) or "const" in part.about:
        return _plain(part, Guess("content", "a choice from a list"))
    if word := vocabulary.known(tuple(reversed(name)), vocabulary.SELECTS):
        return _selected(part, word, name, tool, changes)
    if said and (
        word := vocabulary.known(said[:8], vocabulary.ADDRESS & vocabulary.OUTWARD_ADDRESS - {"to"})
    ):
        return _reached(part, word, tool, changes)
    if word := vocabulary.known(name, vocabulary.SCHEDULE):
        return _plain(part, Guess("content", f"`{word}` is a time or an option"))
    open_ = not _numbers(part) and (changes or bool(vocabulary.known(tool, vocabulary.PERSONAL)))
    found = _plain(part, Guess("content", "its name gives no hint", review=open_))
    return msgspec.structs.replace(found, unknown=True)


def _power(part: SchemaPart, name: tuple[str, ...]) -> ArgumentGuess | None:
    """Return the guess for a value that is a power: a switch by its name, a role by its possible values."""
    least: Json = None
    word = ""
    offered = part.about.get("enum")
    if part.types and part.types <= {"boolean", "null"}:
        if word := vocabulary.known(name, vocabulary.PROTECTS) or (
            "two" if name[:2] == ("two", "step") else ""
        ):
            least = True
        elif word := vocabulary.known(name, vocabulary.OPENS):
            least = False
    elif isinstance(offered, list):
        values = {one.lower(): one for one in reversed(offered) if isinstance(one, str)}
        words = {token for one in values for token in vocabulary.tokens(one)}
        word = vocabulary.known(tuple(words & vocabulary.POWERS), vocabulary.POWERS)
        least = next((values[one] for one in vocabulary.LEAST_POWERS if one in values), None)
    if not word or least is None:
        return None
    role = Guess("content", f"`{word}` gives power; is this the least of it?", review=True)
    return ArgumentGuess(path=part.path, role=role, word=word, least=least)


def placed(found: Sequence[ArgumentGuess], offered: Sequence[SchemaPart]) -> tuple[ArgumentGuess, ...]:
    """Return the guesses for all arguments of a tool, with what they say of one another: which item lies in
    which container, and where a record is a person's.
    """
    around = [one for one in found if _leads(one) and _known(one.path, vocabulary.CONTAINERS)]
    kinds = {part.path: part for part in offered if isinstance(part.about.get("enum"), list)}
    out = []
    for one in found:
        item = _leads(one) and one not in around and len(around) == 1
        guess = _item(one, around[0].path) if item and _known(one.path, vocabulary.ITEMS) else one
        head = one.path.removesuffix("_id").removesuffix("Id")
        of = next((kinds[f"{head}{end}"] for end in ("_type", "Type") if f"{head}{end}" in kinds), None)
        apart = of is None or head == one.path or not _leads(one)
        out.append(guess if of is None or apart else _person_by_kind(guess, of))
    return tuple(out)


def _item(one: ArgumentGuess, container: str) -> ArgumentGuess:
    why = f"{one.role.why}; an item of `{container}`"
    role = msgspec.structs.replace(one.role, why=why, review=True)
    return msgspec.structs.replace(one, within=container, role=role)


def _person_by_kind(one: ArgumentGuess, of: SchemaPart) -> ArgumentGuess:
    offered = of.about["enum"]
    values = offered[:MAX_KINDS] if isinstance(offered, list) else []
    names = tuple(value for value in values if isinstance(value, str) and len(value) <= MAX_NAME)
    others = tuple(value for value in names if not _known(value, vocabulary.PERSONAL))
    if len(others) == len(names):
        return one
    why = f"{one.role.why}; a person's record by `{of.path}`"
    role = msgspec.structs.replace(one.role, why=why, review=True)
    # Conditions name whole arguments.
    harmless = others if of.path == of.name else ()
    return msgspec.structs.replace(one, personal=True, role=role, kinds=(of.path, harmless))


def _leads(one: ArgumentGuess) -> bool:
    return one.role.value in (ArgumentRole.SELECTOR.value, ArgumentRole.DESTINATION.value)


def _known(name: str, meaning: frozenset[str]) -> bool:
    return bool(vocabulary.known(vocabulary.tokens(name), meaning))


def field(part: SchemaPart) -> FieldGuess | None:
    """Return the guess for a field of the results; None where its name and form suggest nothing."""
    if not part.leaf:
        return None
    name = vocabulary.tokens(part.name)
    untrusted = Trust.UNTRUSTED.value
    if "string" in part.types and (word := _withheld(name)):
        why = f"`{word}` is a secret: no agent gets it; does a task need it?"
        return FieldGuess(name=part.name, trust=Guess(untrusted, why, review=True), withhold=True)
    if isinstance(part.about.get("additionalProperties"), dict):
        why = "the keys of this map are values; could an outsider have chosen them?"
        return FieldGuess(name=f"{part.path}._keys", trust=Guess(untrusted, why, review=True))
    if word := vocabulary.known(name, vocabulary.PROSE):
        why = f"`{word}`: text that anyone may have written"
        return FieldGuess(name=part.name, trust=Guess(untrusted, why))
    word = vocabulary.known(tuple(reversed(name)), vocabulary.SET_BY_SERVER)
    if word and (part.about.get("format") in _SERVER_FORMATS or (part.types <= TEXTLESS and part.types)):
        why = f"`{word}`: not text, usually set by the server itself; is it?"
        return FieldGuess(name=part.name, trust=Guess(Trust.TRUSTED.value, why, review=True))
    return None


def _withheld(name: tuple[str, ...]) -> str:
    """Return the words of a field that hold a secret: a password, a token, the number of a card."""
    if {"card", "number"} <= set(name) or {"card", "pan"} <= set(name):
        return "_".join(name)
    if vocabulary.known(name, vocabulary.SCHEDULE | frozenset({"count", "next", "page"})):
        return ""  # `password_updated_at`, `next_page_token`
    joined = "".join(name)  # `passWord`
    return _secret((*name, joined), ()) or vocabulary.known((*name[-1:], joined), vocabulary.WITHHELD)


def fields(found: Sequence[SchemaPart], *, but: Iterable[str] = ()) -> list[FieldGuess]:
    """Return the guesses for fields by name; for several fields of one name the worse guess, or none.

    Of the fields in `but`, which a proposal names, only those that no agent gets. Names are one in all
    spellings in which tool files compare them (`postalCode`, `Postal code`).
    """
    by_name: dict[str, FieldGuess | None] = {}
    for part in found:
        if not part.leaf:
            continue
        guess = field(part)
        name = guess.name if guess is not None and "." in guess.name else as_spelled(part.name)
        if name in by_name:
            by_name[name] = _worse(by_name[name], guess)
        else:
            by_name[name] = guess
    named = set(map(as_spelled, but))
    return [one for name, one in by_name.items() if one and (one.withhold or name not in named)]


def _worse(known: FieldGuess | None, guess: FieldGuess | None) -> FieldGuess | None:
    if known is None or guess is None:
        return None
    if known.withhold or guess.withhold:
        return known if known.withhold else guess
    return guess if guess.trust.value == "untrusted" else known


def as_spelled(name: str) -> str:
    """Return a name as tool files compare it."""
    return name.casefold().translate(_BLANKS)


def _plain(part: SchemaPart, role: Guess, word: str = "") -> ArgumentGuess:
    return ArgumentGuess(path=part.path, role=role, word=word)


def _reached(part: SchemaPart, word: str, tool: tuple[str, ...], changes: bool) -> ArgumentGuess:
    """Return the guess for an address or a party: a destination, or, where nothing is changed, the subject of
    a lookup.
    """
    one = vocabulary.single(word)
    address = one in vocabulary.ADDRESS or word in vocabulary.ADDRESS
    if (
        changes
        and not address
        and name_of(part)[-1] == "id"
        and not vocabulary.known(tool, vocabulary.DIRECTS)
    ):
        personal = one in vocabulary.PERSONAL or word in vocabulary.PERSONAL
        role = Guess(
            ArgumentRole.SELECTOR.value, f"`{word}` selects a record; or is it a destination?", review=True
        )
        return ArgumentGuess(path=part.path, role=role, word=one, personal=personal, single=True)
    if changes or address:
        unsure = not address
        why = f"`{word}` is a destination" + ("; or is it only looked up?" if unsure else "")
        return ArgumentGuess(
            path=part.path,
            role=Guess(ArgumentRole.DESTINATION.value, why, review=unsure),
            word=one,
            single=True,
            outward=one in vocabulary.OUTWARD_ADDRESS or word in vocabulary.OUTWARD_ADDRESS,
            mail=_mail(part, one, tool),
            many="array" in part.types,
        )
    personal = one in vocabulary.PERSONAL or word in vocabulary.PERSONAL
    why = f"`{word}` is a search term"
    role = Guess(ArgumentRole.SELECTOR.value, why, review=personal)
    return ArgumentGuess(path=part.path, role=role, word=one, personal=personal, single=True)


def _selected(
    part: SchemaPart, word: str, name: tuple[str, ...], tool: tuple[str, ...], changes: bool
) -> ArgumentGuess:
    """Return the guess for a selector: which record, whose, and whether stored data leaves with the call."""
    about = name if len(name) > 1 else (*name, *tool)
    one = vocabulary.single(word)
    single = (
        one not in vocabulary.LOOSE
        and word not in vocabulary.LOOSE
        and not vocabulary.known(name, vocabulary.LOOSE)
    )
    stored = (
        changes
        and vocabulary.known(tool, vocabulary.HANDS_OVER)
        and vocabulary.known(about, vocabulary.STORED)
    )
    personal = bool(single and vocabulary.known(about, vocabulary.PERSONAL))
    why = f"`{word}` selects a record"
    if stored:
        says = vocabulary.known(tool, vocabulary.HANDS_OVER)
        why += f"; a tool named `{says}` shares the data stored there"
    if personal:
        why += f"; `{vocabulary.known(about, vocabulary.PERSONAL)}`: a person's record"
    role = Guess(ArgumentRole.SELECTOR.value, why, review=bool(stored or personal))
    noun = next((w for w in name if w not in ("id", "key", "uuid", "number", "no")), one)
    return ArgumentGuess(
        path=part.path,
        role=role,
        word=vocabulary.single(noun),
        personal=personal,
        hands_over=bool(stored),
        single=single,
    )


def _secret(name: tuple[str, ...], said: tuple[str, ...]) -> str:
    if word := vocabulary.known(name, vocabulary.SECRETS):
        return word
    pairs = set(pairwise(name))
    if pairs & {
        ("api", "key"),
        ("access", "key"),
        ("private", "key"),
        ("access", "token"),
        ("auth", "token"),
    }:
        return "_".join(name)
    if "code" in name and {"verification", "auth", "one", "time", "security", "confirmation"} & {
        *name,
        *said,
    }:
        return "code"
    return ""


def _queries(name: tuple[str, ...], said: tuple[str, ...], tool: tuple[str, ...]) -> bool:
    """Return whether a `query` is in a query language rather than search words."""
    about = vocabulary.known(said, vocabulary.QUERIES - {"run", "execute", "exec"}) or vocabulary.known(
        tool, vocabulary.QUERIES
    )
    return "query" in name and bool(about)


def _mail(part: SchemaPart, word: str, tool: tuple[str, ...]) -> bool:
    mails = {"email", "mail"} & {*name_of(part), *tool} or part.about.get("format") == "email"
    return word in vocabulary.MAIL and bool(mails or {"event", "calendar", "meeting"} & set(tool))


def name_of(part: SchemaPart) -> tuple[str, ...]:
    """Return the words of a part's name, at least one empty word."""
    return vocabulary.tokens(part.name) or ("",)


def _numbers(part: SchemaPart) -> bool:
    return bool(part.types) and part.types <= {"integer", "number", "null", "array"}
