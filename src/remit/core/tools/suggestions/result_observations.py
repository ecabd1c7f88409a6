# SPDX-License-Identifier: Apache-2.0
"""What calls showed of a tool, beside what its schema says.

The evidence holds no results. But it says from which field of which result each argument came: a mail address
or a secret that a call took from a field was in the results, and an outsider wrote the text that led a call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.credentials.known_secrets import has_known_secret
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.call_observations import ADDRESS, ObservedCall
from remit.core.tools.suggestions.draft import ToolDraft
from remit.core.tools.suggestions.inference import ArgumentGuess, Guess
from remit.core.tools.tool import ArgumentRole

#: Pieces of work from which it shows whether records are named or found.
MIN_WORK: Final = 3


def with_observed(drafts: Mapping[str, ToolDraft], calls: Sequence[ObservedCall]) -> dict[str, ToolDraft]:
    """Return the drafts of tools, by id, with what their calls showed.

    INVARIANT: an observation only demands more: an argument that takes addresses leads outside. One thing it
    relaxes, for review: where an upstream's records of persons are found and not named in most of the work,
    the work is not about one person. Calls that a stranger's text led do not count there.
    """
    by_tool: dict[str, list[ObservedCall]] = defaultdict(list)
    for one in calls:
        by_tool[one.tool].append(one)
    held = _held(calls)
    why = {upstream: _found(upstream, drafts, calls) for upstream in {_upstream(one) for one in drafts}}
    return {
        tool: _with_results(_with_calls(draft, by_tool.get(tool, ()), why[_upstream(tool)]), held[tool])
        for tool, draft in drafts.items()
    }


def _with_calls(draft: ToolDraft, calls: Sequence[ObservedCall], why: str) -> ToolDraft:
    arguments, outward = [], ""
    for old in draft.arguments:
        new = _addressed(old, calls)
        if new.outward and not old.outward:
            outward = new.path
        if new.personal and why:
            role = Guess(new.role.value, why, review=True)
            new = msgspec.structs.replace(new, role=role, personal=False)
        arguments.append(new)
    audience = draft.audience
    if outward and audience.value != "external":
        audience = Guess("external", f"`{outward}` was observed to take addresses")
    return msgspec.structs.replace(draft, arguments=tuple(arguments), audience=audience)


class _Held:
    """What the results of a tool were observed to hold, each with its field and the tasks that used it."""

    def __init__(self) -> None:
        self.categories: dict[str, tuple[str, set[str]]] = {}
        self.texts: dict[str, set[str]] = defaultdict(set)

    def note(self, category: str, field: str, task: str) -> None:
        """Note that a field held something of a category."""
        self.categories.setdefault(category, (field, set()))[1].add(task)


def _held(calls: Iterable[ObservedCall]) -> dict[str, _Held]:
    """Return what the results of each tool held, by the arguments that came from them."""
    found: dict[str, _Held] = defaultdict(_Held)
    for one in calls:
        for name, source in one.sources.items():
            texts = _texts(one.arguments.get(name))
            secret = any(map(has_known_secret, texts))
            address = any("@" in text and ADDRESS.fullmatch(text) for text in texts)
            for origin in source.origins:
                if secret:
                    found[origin.tool].note("secret", origin.field, one.task)
                if address and name not in one.led:
                    found[origin.tool].note("pii", origin.field, one.task)
                if name in one.led:
                    found[origin.tool].texts[origin.field].add(one.task)
    return found


def _with_results(draft: ToolDraft, held: _Held) -> ToolDraft:
    """Return the draft of a tool with labels for what its results held: only ever more."""
    told = {draft.categories.value: draft.categories.why} if draft.categories else {}
    for category, (field, tasks) in sorted(held.categories.items()):
        what = {"secret": "a secret of a known form", "pii": "mail addresses"}[category]
        told.setdefault(category, f"{len(tasks):,} tasks took {what} from {_place(field)}")
    if told:
        why = "; ".join(told.values())
        categories = Guess(", ".join(sorted(told)), why, review="secret" in told)
        draft = msgspec.structs.replace(draft, categories=categories)
    if not held.texts or draft.trust.value == Trust.TRUSTED:
        return draft
    field, tasks = max(sorted(held.texts.items()), key=lambda one: len(one[1]))
    why = f"a text in {_place(field)} led {len(tasks):,} tasks: others write there"
    names = {vocabulary.tokens(one.rpartition(".")[2]) for one in held.texts}
    fields = tuple(
        msgspec.structs.replace(one, trust=Guess(Trust.UNTRUSTED.value, "a text there led calls"))
        if vocabulary.tokens(one.name) in names
        else one
        for one in draft.fields
    )
    return msgspec.structs.replace(draft, trust=Guess(draft.trust.value, why), fields=fields)


def _place(field: str) -> str:
    """Return a field of a result for a comment; the evidence has replaced what may be a value by `*`."""
    return f"its field `{field}`" if field else "its text"


def _texts(value: Json) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _addressed(guess: ArgumentGuess, calls: Sequence[ObservedCall]) -> ArgumentGuess:
    texts = [value for one in calls if isinstance(value := one.arguments.get(guess.path), str)]
    addresses = sum(ADDRESS.fullmatch(one) is not None for one in texts)
    if guess.role.value != ArgumentRole.CONTENT or not texts or addresses * 2 < len(texts):
        return guess
    why = f"{addresses:,} of {len(texts):,} observed values are addresses"
    return msgspec.structs.replace(guess, role=Guess(ArgumentRole.DESTINATION.value, why), outward=True)


def _found(upstream: str, drafts: Mapping[str, ToolDraft], calls: Iterable[ObservedCall]) -> str:
    """Return why the records of persons in an upstream are not one person's, or an empty text."""
    work, found = set[str](), set[str]()
    for one in calls:
        draft = drafts.get(one.tool)
        if draft is None or _upstream(one.tool) != upstream or one.led or one.followed:
            continue
        sources = [
            one.sources[part.path] for part in draft.arguments if part.personal and part.path in one.sources
        ]
        if sources:
            work.add(one.words or one.task)
        if any(not source.stated for source in sources):
            found.add(one.words or one.task)
    if len(work) < MIN_WORK or len(found) * 2 < len(work):
        return ""
    return (
        f"in {len(found):,} of {len(work):,} tasks such records were found, not named; else `personal: true`"
    )


def _upstream(tool: str) -> str:
    return tool.partition("/")[0]
