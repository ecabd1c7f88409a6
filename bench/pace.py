# SPDX-License-Identifier: Apache-2.0
"""How fast this machine is, against the one on which the goals were set.

The goals in microseconds were set on a machine of which it is also known what others' parts do there. The
plain MCP proxy is the one of these that does what remit does most: Python, around an HTTP server and an HTTP
client. It keeps one CPU busy and carried 80 calls a second there (72 to 86), so a call took 12.5 ms of that
CPU's time. What it takes here, in the same run, says how many times slower this machine is; a figure that is
bound by the CPU is judged both as it is, and as it would be there.
"""

from collections.abc import Mapping

from bench.figure import Figure

PACE = "at the goals' pace: this machine is slower"
PROXY = "fastmcp: CPU per call"
THERE_US = 1e6 / 80
"""CPU time of the plain proxy's call on the machine of the goals."""


def pace(figures: Mapping[str, Figure]) -> list[Figure]:
    """Give how many times slower this machine is; nothing where the proxy was not measured."""
    here = figures.get(PROXY)
    if here is None or not here.value:
        return []
    how = f"`{PROXY}` in this run, to {THERE_US:,.0f} us there"
    return [Figure(name=PACE, value=here.value / THERE_US, unit="times", how=how)]
