# SPDX-License-Identifier: Apache-2.0
"""Drafts of tool files in which a person has accepted every proposal."""

import re

_PROPOSED = re.compile(r"^( +)# (?!Its description: )", re.MULTILINE)


def all_proposed(text: str) -> str:
    """Return a drafted tool file in which every comment that proposes a line is this line."""
    return _PROPOSED.sub(r"\1", text)
