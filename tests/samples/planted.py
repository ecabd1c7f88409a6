# SPDX-License-Identifier: Apache-2.0
"""A history of the office in which an attacker was present while remit observed."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.core.tools.suggestions import (
    ArgumentSource,
    ObservedCall,
    UpstreamFacts,
    ValueOrigin,
    drafted,
    with_leads,
)
from remit.core.tools.tool import Tool
from tests.samples.work_history import ATTACKS, REQUIRED, SCHEMAS, observed

Json = Any
#: How often each attack succeeded while nothing was refused.
OCCURRENCES: Final = 5


def drafts() -> dict[str, Any]:
    """Return the guesses about the office's tools."""
    found = {}
    for tool, properties in SCHEMAS.items():
        upstream, _, name = tool.partition("/")
        schema = {"type": "object", "properties": properties, "required": list(REQUIRED[tool])}
        seen = Tool(upstream=upstream, name=name, surface={"name": name, "inputSchema": schema})
        found[tool] = drafted(seen, UpstreamFacts(audience="internal", data_class="internal"), "restricted")
    # An attacker also names tools that the work never uses.
    path = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    delete = Tool(upstream="files", name="delete", surface={"name": "delete", "inputSchema": path})
    return found | {"files/delete": drafted(delete, UpstreamFacts(), "restricted")}


def planted(history: list[ObservedCall], *, times: int = OCCURRENCES) -> list[ObservedCall]:
    """Return a history with each attack several times, in tasks that had read the attacker's mails."""
    found = list(history)
    step = max(1, len(history) // (len(ATTACKS) * times))
    for number in range(len(ATTACKS) * times):
        tool, arguments = ATTACKS[number % len(ATTACKS)]
        mail = f"dec_mail_{number}"
        text = ArgumentSource("untrusted", "", (ValueOrigin(mail, "mail/read", "text", "untrusted"),))
        call = observed(tool, arguments, task=f"tsk_planted_{number}")
        call = msgspec.structs.replace(call, decision=f"dec_{number}", sources=dict.fromkeys(arguments, text))
        found.insert(number * (step + 1), call)
    return with_leads(found, drafts())
