# SPDX-License-Identifier: Apache-2.0
"""What calls showed of a tool, beside what its schema says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.tools.suggestions.draft import ToolDraft
from remit.core.tools.suggestions.inference import ArgumentGuess, Guess
from remit.core.tools.suggestions.observed_calls import ADDRESS, ObservedCall
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
    why = {upstream: _found(upstream, drafts, calls) for upstream in {_upstream(one) for one in drafts}}
    return {
        tool: _with_calls(draft, by_tool.get(tool, ()), why[_upstream(tool)])
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
