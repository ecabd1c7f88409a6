# SPDX-License-Identifier: Apache-2.0
"""One-time codes across tools: which tools read the messages in which the codes of an argument arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from remit.config.reading.decoding import suggestion
from remit.core.tools.tool import Tool


class BrokenChannel(NamedTuple):
    """An argument whose codes no message can bring: the tool, the argument, the fault and the remediation."""

    tool: str
    argument: str
    fault: str
    remediation: str


def code_channels(tools: Mapping[str, Tool]) -> tuple[dict[str, Tool], list[BrokenChannel]]:
    """Return the tools, each with the senders of the codes that it reads; and what is missing."""
    out, broken = dict(tools), list[BrokenChannel]()
    for one in tools.values():
        for key, spec in one.arguments.items():
            for reader in spec.one_time.read_by if spec.one_time else ():
                if reader not in tools:
                    way = suggestion(reader, tools)
                    broken.append(BrokenChannel(one.id, key, f"`{reader}` is not a tool", way))
                elif not tools[reader].sender:
                    way = f"add `sender` to `{reader}`: the field that names the sender of each message"
                    broken.append(BrokenChannel(one.id, key, f"`{reader}` names no sender", way))
                else:
                    known = (*out[reader].code_senders, *(spec.one_time.senders if spec.one_time else ()))
                    out[reader] = msgspec.structs.replace(
                        out[reader], code_senders=tuple(dict.fromkeys(known))
                    )
    return out, broken
