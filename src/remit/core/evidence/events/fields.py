# SPDX-License-Identifier: Apache-2.0
"""Fields that several kinds of events have."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import Sealed

ToolName = Annotated[str, "the tool, as `upstream/name`"]
Reason = Annotated[str, "why"]
Further = Annotated[int, "earlier refusals that were only counted"]
RefusalCode = Annotated[str, "stable code of the reason"]
Person = Annotated[str, Sealed("who")]
By = Annotated[str, Sealed("the person or agent that did it")]
