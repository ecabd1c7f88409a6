# SPDX-License-Identifier: Apache-2.0
"""Requests for what a tool does: in the person's words, or in a text to which these delegate.

Words other than those of a tool's description (`let Ann know` for a tool that sends mail) fit many tools.
So they count only as the verb of a clause, and only if that clause leads to where the call goes: to each of
its destinations, or to one object that it changes where it has no destination.
"""

from __future__ import annotations

from collections.abc import Mapping

from remit.core.flow.arguments.argument_values import values_of
from remit.core.flow.arguments.argument_walk import is_long
from remit.core.flow.justification import Justification
from remit.core.flow.language.tool_verbs import AskedBy, asking, asking_widely, object_words, verbs_and_nouns
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.provenance import Index
from remit.core.flow.values.strict_reading import exact
from remit.core.json_value import Json
from remit.core.tools.tool import LEADING, ArgumentRole, Effect, Tool

MAX_LED = 20
"""Most values of one argument that the words can lead to."""


def asks(said: Utterance, tool: Tool) -> bool:
    """Return whether the person's words ask for what a tool does, whatever the arguments."""
    return said.asks(asking(tool)) or said.clauses.ask_by_object(object_words(tool))


def mentions(index: Index, tool: Tool) -> bool:
    """Return whether the text that the intent delegates to mentions what a tool does."""
    by = asking(tool)
    verbs, nouns = verbs_and_nouns(by.name)
    handed = index.naming.firmly_handed if needs_firm(tool) else index.naming.handed
    return not handed.words.isdisjoint(by.words | verbs | nouns)


def needs_firm(tool: Tool) -> bool:
    """Return whether only an author with a trusted name can ask for what a tool does."""
    return tool.effect is Effect.IRREVERSIBLE or tool.audience.name == "external"


def asked_widely(
    index: Index, tool: Tool, parts: Mapping[str, Json], found: Mapping[str, Justification]
) -> bool:
    """Return whether the person's words ask for a call in other words than those of its tool."""
    by = asking_widely(tool)
    if not by.words or not index.utterance.clauses.ask_by_verb(by):
        return False
    roles = {name: tool.arguments[name].role for name in found if name in tool.arguments}
    leading = {name for name, role in roles.items() if role in LEADING}
    if not all(found[name].reached or found[name].hinted for name in leading):
        return False
    # A person is asked about what a hint leads to, and about a container around it.
    items = {name for name in leading if found[name].hinted}
    around = {name for name in items if found[name].clean}
    places = [name for name in leading if roles[name] is ArgumentRole.DESTINATION or name in items]
    places = [name for name in places if name not in around]
    if places:
        return all(_leads(index, tool, name, parts[name], found[name], by) for name in places)
    return any(_leads(index, tool, name, parts[name], found[name], by) for name in leading)


def _leads(index: Index, tool: Tool, name: str, value: Json, one: Justification, by: AskedBy) -> bool:
    """Return whether a clause that asks by a verb of `by` leads to each value of an argument."""
    whom = tool.arguments[name].role is ArgumentRole.DESTINATION
    if one.own or (one.stated is not None and one.stated.parameter):
        return True
    count = 0
    for text in values_of(value, tool, name):
        if (count := count + 1) > MAX_LED or not text or is_long(text):
            return False
        if not index.is_own(exact(text)) and not any(
            _led(index, words, by, whom=whom) for words in index.words_for(text, tool, name)
        ):
            return False
    return count > 0


def _led(index: Index, words: str, by: AskedBy, *, whom: bool) -> bool:
    clauses, wording = index.utterance.clauses, index.utterance.wording
    return clauses.lead_by_verb(words, by, whom=whom) and (not whom or wording.addressed(words))
