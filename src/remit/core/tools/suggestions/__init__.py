# SPDX-License-Identifier: Apache-2.0
"""Draft descriptions of tools, for review, from the information of their upstreams.

`drafted` makes the guesses; `tools_text` writes a file for `tools/` with the reason beside each guess.
"""

from remit.core.tools.suggestions.call_observations import (
    KINDS,
    ArgumentSource,
    ObservedCall,
    ValueOrigin,
    observed_calls,
    with_leads,
)
from remit.core.tools.suggestions.draft import ToolDraft, UpstreamFacts, drafted, vouched
from remit.core.tools.suggestions.grant_draft import (
    GrantDraft,
    LedCalls,
    ParameterDraft,
    TypeDraft,
    grants_of,
    grants_text,
    refused_by,
    split_type,
    with_grants,
)
from remit.core.tools.suggestions.inference import ArgumentGuess, FieldGuess, Guess
from remit.core.tools.suggestions.result_observations import with_observed
from remit.core.tools.suggestions.task_kinds import KindOfWork, kinds_of_work
from remit.core.tools.suggestions.task_values import with_parameters
from remit.core.tools.suggestions.tool_file import tools_text

__all__ = [
    "KINDS",
    "ArgumentGuess",
    "ArgumentSource",
    "FieldGuess",
    "GrantDraft",
    "Guess",
    "KindOfWork",
    "LedCalls",
    "ObservedCall",
    "ParameterDraft",
    "ToolDraft",
    "TypeDraft",
    "UpstreamFacts",
    "ValueOrigin",
    "drafted",
    "grants_of",
    "grants_text",
    "kinds_of_work",
    "observed_calls",
    "refused_by",
    "split_type",
    "tools_text",
    "vouched",
    "with_grants",
    "with_leads",
    "with_observed",
    "with_parameters",
]
