# SPDX-License-Identifier: Apache-2.0
"""Assumed labels: what was learnt from tools without a description is replaced when they are described.

The worst case is assumed of a tool without a description. What the tool returns raises tasks, and what it or
these tasks write stays with the data; each such label says which part of it is assumed, and of which tools
(`core.label.Assumed`). Once files describe all of these tools, the label is read as if they had been
described from the beginning. The same holds for an upstream's text about its use, once a file has this text.

INVARIANT: only the assumed part changes. What a described tool, a token, another issuer or a person gave is
the firm part, and remains. A tool is known by its name and by its surface: if its upstream changes the
surface, a description of the new one says nothing about what the old one returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from remit.core.canonical import digest
from remit.core.label import Classes, Label, Trust, worst
from remit.core.tools.tool import Effect, Tool, list_key, read_key, write_key


def words_key(upstream: str, text: str) -> str:
    """Return the key of what is assumed of an upstream's text about its use (`instructions`)."""
    return f"words {digest(text)} {upstream}/instructions"


def said_by(tools: Iterable[Tool], words: Mapping[str, str], classes: Classes) -> dict[str, Label]:
    """Return what the descriptions of tools, and the reviewed `words` of upstreams, say in place of each
    assumption.

    Results have the joined label of all fields: which of them a call returned, and in which case, is not
    known any more, and nothing was withheld then. A write adds nothing to what its task had read, but one
    that hands over stored data by id adds the worst case. A list adds nothing: an administrator has reviewed
    what it said of the tool.
    """
    said = {words_key(upstream, text): Label(classes.bottom) for upstream, text in words.items()}
    for tool in tools:
        if not tool.described:
            continue
        label = tool.label.known
        for field in tool.fields:
            label = label.join(field.label.known, classes)
        said[read_key(tool)] = label
        said[list_key(tool)] = Label(classes.bottom)
        said[write_key(tool)] = worst(classes) if tool.hands_over else Label(classes.bottom)
    return said


def as_described(label: Label, said: Mapping[str, Label], classes: Classes) -> Label:
    """Return a label with its assumptions replaced by what descriptions say.

    The class and the trust only fall, and only once every tool is described. Categories and zones are added.
    """
    if label.assumed is None:
        return label
    found = [said.get(one) for one in sorted(label.assumed.tools)]
    new = label.assumed.firm
    for one in found:
        new = new if one is None else new.join(one, classes)
    fallen = None not in found
    lower = fallen and classes.rank(new.data_class) < classes.rank(label.data_class)
    return Label(
        data_class=new.data_class if lower else label.data_class,
        categories=label.categories | new.categories,
        trust=new.trust if fallen and label.trust is Trust.UNTRUSTED else label.trust,
        zones=label.zones | new.zones,
    ).assuming(label.assumed.firm, label.assumed.tools)


def wrote_nothing(tool: Tool | None, digest: str) -> bool:
    """Return whether a call of a tool that had no description, with this surface, has written nothing.

    Its description says by now that it reads.
    """
    return (
        tool is not None
        and tool.described
        and tool.surface_digest == digest
        and tool.effect is Effect.NONE
        and not tool.variants
    )


def facts_of(said: Mapping[str, Label], keys: Iterable[str]) -> dict[str, Label]:
    """Return the part of what descriptions say that is about these keys."""
    return {one: said[one] for one in sorted(set(keys)) if one in said}


def tools_in(keys: Iterable[str]) -> list[str]:
    """Return the names of the tools, and of the texts of upstreams, that keys are about."""
    return sorted({one.rpartition(" ")[2] for one in keys})
