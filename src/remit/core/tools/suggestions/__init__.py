# SPDX-License-Identifier: Apache-2.0
"""Drafting descriptions of tools, for review, from what their upstreams say of them.

`drafted` guesses, `tools_text` writes a file for `tools/` with why beside each guess.
"""

from remit.core.tools.suggestions.draft import ToolDraft, UpstreamFacts, drafted
from remit.core.tools.suggestions.inference import ArgumentGuess, FieldGuess, Guess
from remit.core.tools.suggestions.tool_file import tools_text

__all__ = ["ArgumentGuess", "FieldGuess", "Guess", "ToolDraft", "UpstreamFacts", "drafted", "tools_text"]
