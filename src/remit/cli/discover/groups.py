# SPDX-License-Identifier: Apache-2.0
"""Findings in the groups that people work through: by agent, else by owner, the worst group first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from remit.core.discovery.scan import ScannedFinding, Standing


class FindingGroup(NamedTuple):
    """Findings of one agent or owner, the most severe first."""

    title: str
    owner: str
    findings: list[ScannedFinding]


def open_findings(found: Iterable[ScannedFinding]) -> list[ScannedFinding]:
    """Return the findings that need an answer."""
    return [one for one in found if one.standing in (Standing.NEW, Standing.KNOWN)]


def grouped(found: Iterable[ScannedFinding]) -> list[FindingGroup]:
    """Return findings in their groups."""
    groups: dict[str, list[ScannedFinding]] = {}
    for one in found:
        groups.setdefault(_title(one), []).append(one)
    made = []
    for title, ones in groups.items():
        ones.sort(key=lambda one: one.finding.weight.rank)
        owners = dict.fromkeys(one.finding.owner for one in ones if one.finding.owner)
        made.append(FindingGroup(title, next(iter(owners)) if len(owners) == 1 else "", ones))
    return sorted(made, key=lambda one: (_ranks(one), one.title))


def _title(one: ScannedFinding) -> str:
    finding = one.finding
    kind, _, name = finding.about.partition(":")
    agents = finding.evidence.get("agents")
    agent = name if kind == "agent" else agents[0] if isinstance(agents, list | tuple) and agents else ""
    agent = agent or finding.evidence.get("agent") or finding.evidence.get("client")
    if isinstance(agent, str) and agent:
        return f"Agent {agent}"
    if kind == "principal":
        return f"Identity {name}"
    return f"Files of {finding.owner}" if finding.owner else "Without an owner"


def _ranks(group: FindingGroup) -> tuple[int, ...]:
    """Order groups by how many findings of each severity they have."""
    return tuple(-sum(each.finding.weight.rank == rank for each in group.findings) for rank in range(4))
