# SPDX-License-Identifier: Apache-2.0
"""Drafts of files for `tools/` from what an upstream offers, or offered when it was last seen."""

from __future__ import annotations

import msgspec

from remit.core.errors import ConfigInvalid, NotFound
from remit.core.label import AUDIENCE_RULE, Classes, audience_fault
from remit.core.tools.suggestions import ToolDraft, UpstreamFacts, drafted, tools_text
from remit.core.tools.tool import is_tool_name
from remit.services.tools.pinned_tools import ToolCatalogue


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A draft of a file for `tools/`, not written yet. `text` is empty where nothing is left to draft.

    `described` are the tools that were left out because the bundle describes them, `unnamed` those whose
    names no file can contain.
    """

    upstream: str
    text: str
    drafts: tuple[ToolDraft, ...]
    described: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()


def suggested(
    tools: ToolCatalogue, classes: Classes, upstream: str, facts: UpstreamFacts, *, every: bool = False
) -> Suggestion:
    """Draft the undescribed tools of an upstream, or with `every` all of them.

    Raises `NotFound` where nothing is known of the upstream, `ConfigInvalid` where `facts` name an unknown
    audience or class.
    """
    if facts.audience and (fault := audience_fault(facts.audience)):
        raise ConfigInvalid(fault, remediation=AUDIENCE_RULE)
    if facts.data_class:
        classes.rank(facts.data_class)
    known = tools.seen(upstream)
    if not known:
        seen = ", ".join(f"`{name}`" for name in tools.upstreams) or "none"
        raise NotFound(
            f"the tools of `{upstream}` are not known",
            remediation=f"give an upstream that remit has reached: {seen}",
        )
    wanted = [tool for tool in known if every or not tool.described]
    named = [tool for tool in wanted if is_tool_name(tool.name)]
    drafts = tuple(drafted(tool, facts, classes.top) for tool in named)
    return Suggestion(
        upstream=upstream,
        text=tools_text(upstream, drafts) if drafts else "",
        drafts=drafts,
        described=tuple(tool.id for tool in known if tool.described and not every),
        unnamed=tuple(tool.name for tool in wanted if not is_tool_name(tool.name)),
    )
