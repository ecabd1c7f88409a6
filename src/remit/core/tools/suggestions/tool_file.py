# SPDX-License-Identifier: Apache-2.0
"""Drafts as a file for `tools/`, with the reason beside each guess. Foreign names are quoted, never inserted
raw.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.draft import ToolDraft
from remit.core.tools.suggestions.inference import ArgumentGuess, Guess, Proposal

REVIEW: Final = "review"
MAX_SAID: Final = 160
MAX_READERS: Final = 8
_BARE: Final = re.compile(r"[a-z][a-z0-9_-]*")
_TAKEN: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def tools_text(upstream: str, drafts: Sequence[ToolDraft], instructions: str = "") -> str:
    """Return the text of a file that describes these tools of an upstream; needs at least one.

    `instructions` is the upstream's text about its use: a comment, as only a person may accept it.
    """
    return "\n".join((*_head(upstream, drafts, instructions), *_tools(drafts))) + "\n"


def _head(upstream: str, drafts: Sequence[ToolDraft], instructions: str) -> Iterator[str]:
    count = sum(draft.to_review for draft in drafts)
    yield "# SPDX-License-Identifier: Apache-2.0"
    yield f"# Drafted by `remit tool suggest {upstream}` from the upstream's descriptions of its tools."
    yield f"# {count} guesses are marked `# {REVIEW}`: check each, and remove the mark."
    yield "# Until then the worst case or the name decides; a server's own hints never relax anything."
    yield "# audience: who learns the arguments. `self`: only the caller; `internal`: colleagues;"
    yield (
        "#   `group:NAME`: some of them; `external`: anyone else, including the company that runs the "
        "service."
    )
    yield "# class, trust: labels of its results; `untrusted` if an outsider can write any part."
    yield "# How to describe tools: docs/howto/describe-tools.md"
    yield f"upstream: {quoted(upstream)}"
    if instructions:
        yield f"# {REVIEW}: agents may get this text of the server before any call; keep every letter."
        yield f"# instructions: {quoted(instructions, force=True)}"
    yield "tools:"


def _tools(drafts: Sequence[ToolDraft]) -> Iterator[str]:
    readers = [draft.name for draft in drafts if draft.sender is not None]
    shown = {draft.name: _shown_by(draft, drafts) for draft in drafts}
    showing = {reader for found in shown.values() for reader in found}
    for draft in drafts:
        yield f"  {quoted(draft.name)}:"
        if said := spoken(draft.says):
            yield f"    # Its description: {said}"
        yield _line("effect", draft.effect)
        yield _line("audience", draft.audience)
        if draft.production:
            yield _line("production", draft.production, "true")
        if draft.financial:
            yield _line("financial", draft.financial, "true")
        yield "    labels:"
        yield "  " + _line("class", draft.data_class)
        if draft.categories:
            yield "  " + _line("categories", draft.categories, f"[{draft.categories.value}]")
        yield "  " + _line("trust", draft.trust)
        yield from _fields(draft, showing)
        if draft.arguments:
            yield "    arguments:"
        for one in draft.arguments:
            yield from _described(one, readers)
        yield from _templates(draft, shown[draft.name])
        yield from _variant(draft)


def _shown_by(draft: ToolDraft, drafts: Sequence[ToolDraft]) -> list[str]:
    """Return the tools that show the stored destination of a tool, called with the same argument alone."""
    if draft.stored is None or not draft.stored.alone:
        return []
    by = draft.stored.path
    found = [
        one.name
        for one in drafts
        if one.participants and one.required <= {by} and any(part.path == by for part in one.arguments)
    ]
    return found[:MAX_READERS]


def _fields(draft: ToolDraft, showing: Collection[str]) -> Iterator[str]:
    """Yield the fields, and, as comments, those with the caller's own address or with participants."""
    proposed = [(one, "own") for one in draft.own]
    if draft.name in showing:
        proposed += [(one, "participant") for one in draft.participants]
    if draft.fields or proposed:
        yield "    fields:" if draft.fields else "    # fields:"
    for field in draft.fields:
        value = "{withhold: true}" if field.withhold else f"{{trust: {field.trust.value}}}"
        yield "  " + _line(quoted(field.name), field.trust, value)
    for one, mark in proposed:
        yield f"    #   {quoted(one.path)}: {{trust: trusted, {mark}: true}}  # {REVIEW}: {clean(one.why)}"


def _described(one: ArgumentGuess, readers: Sequence[str]) -> Iterator[str]:
    """Yield an argument, and, as comments, what lowers its marks."""
    below = [*_kinds(one)] if one.kinds[1] else []
    if readers and one.secret and one.word in vocabulary.ONE_TIME:
        below += _one_time(readers)
    marks = _marks(one)
    if not below:
        yield "  " + _line(quoted(one.path), one.role, f"{{{', '.join(marks)}}}")
        return
    yield f"      {quoted(one.path)}:  # {_reason(one.role)}"
    yield from (f"        {mark}" for mark in marks)
    yield from (f"        # {said}" for said in below)


def _kinds(one: ArgumentGuess) -> Iterator[str]:
    """Yield a case of an argument in which it selects no person's record."""
    kind, others = one.kinds
    rule = f"{quoted(kind)}: {{one_of: [{', '.join(map(quoted, others))}]}}"
    yield f"when:  # {REVIEW}: if no other kind is a person's"
    yield f"  - arguments: {{{rule}}}"
    yield "    personal: false"


def _one_time(readers: Sequence[str]) -> Iterator[str]:
    """Yield how the code in an argument arrives."""
    by = ", ".join(map(quoted, readers[:MAX_READERS]))
    form = f"one_time: {{senders: [codes@service.example], read_by: [{by}]}}"
    why = "if the code arrives in a message, and counts once for this account"
    yield f"{form}  # {REVIEW}: {why}"


def _templates(draft: ToolDraft, shown_by: Sequence[str]) -> Iterator[str]:
    if draft.single:
        yield f"    # single: true  # {REVIEW}: if it always concerns the one object of its caller"
    if draft.sender:
        yield f"    # sender: {quoted(draft.sender.path, force=True)}  # {REVIEW}: {clean(draft.sender.why)}"
    if draft.stored:
        yield _stored(draft.stored, shown_by)
    if draft.repeats:
        yield _line("repeats", draft.repeats, "true")
    if draft.resource:
        # A wrong name would lose the label of stored data; no name means everything in the upstream.
        why = "if all tools use the same name; until then, the whole upstream"
        yield f"    # resource: {quoted(draft.resource, force=True)}  # {REVIEW}: {why}"


def _stored(stored: Proposal, shown_by: Sequence[str]) -> str:
    """Return, as a comment, what selects the stored destination, and the tools that show it."""
    why = stored.why
    if shown_by:
        why += "; `read_by` needs the `participant` marks there, and a `directory` in remit.yaml"
    parts = (("by", [stored.path]), ("unless", stored.unless), ("read_by", shown_by))
    form = ", ".join(f"{key}: [{', '.join(map(quoted, names))}]" for key, names in parts if names)
    return f"    # stored_destination: {{{form}}}  # {REVIEW}: {clean(why)}"


def _variant(draft: ToolDraft) -> Iterator[str]:
    """Yield, as a comment, a variant that lowers the audience of mail within the organisation."""
    leads = [one for one in draft.arguments if one.outward]
    if draft.effect.value == "none" or not leads or not all(one.mail for one in leads):
        return
    if any(set(".[]") & set(one.path) for one in leads):
        return
    yield f"    # when:  # {REVIEW}: less, if it goes only to colleagues"
    yield "    #   - arguments:"
    for number, one in enumerate(leads):
        rule = "{email_domain: [example.com]}"
        rule = f"{{each: {rule}}}" if one.many else rule
        rule = f"{{optional: {rule}}}" if number else rule
        yield f"    #       {quoted(one.path)}: {rule}"
    yield "    #     audience: internal"


def _marks(one: ArgumentGuess) -> list[str]:
    if one.least is not None:
        least = quoted(one.least) if isinstance(one.least, str) else "true" if one.least else "false"
        return [f"choice: {{least: {least}}}"]
    said = [f"role: {one.role.value}"]
    if one.within:
        said.append(f"within: {quoted(one.within)}")
    return said + [f"{word}: true" for word in ("secret", "personal", "hands_over") if getattr(one, word)]


def _line(key: str, guess: Guess, value: str = "") -> str:
    return f"    {key}: {value or quoted(guess.value)}  # {_reason(guess)}"


def _reason(guess: Guess) -> str:
    return clean(f"{REVIEW}: {guess.why}" if guess.review else guess.why)


def quoted(text: str, *, force: bool = False) -> str:
    """Return a text as YAML that reads as exactly this text."""
    if not force and _BARE.fullmatch(text) and text not in _TAKEN:
        return text
    out = []
    for letter in text:
        if letter in '"\\':
            out.append("\\" + letter)
        elif letter.isprintable():
            out.append(letter)
        else:
            out.append(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}")
    return f'"{"".join(out)}"'


def clean(text: str) -> str:
    """Return a text on one line, without invisible characters and those that disguise text."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def spoken(text: str) -> str:
    """Return the beginning of an upstream's text, in a form that a comment can hold."""
    short = clean(text[: 4 * MAX_SAID])
    return short if len(short) <= MAX_SAID else short[: MAX_SAID - 3] + "..."
