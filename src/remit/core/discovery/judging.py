# SPDX-License-Identifier: Apache-2.0
"""From everything that a scan has seen to what is wrong: one list, without repetition, most severe first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from remit.core.discovery.declared import (
    DeclaredAgent,
    DeclaredServer,
    DeclaredTool,
    PermissionExport,
)
from remit.core.discovery.discovered import MOST_PLACES, Discovered, ExposedSecret
from remit.core.discovery.owners import HomeFolders, one_owner
from remit.core.discovery.privileges.aws.findings import aws_findings
from remit.core.discovery.privileges.azure.findings import azure_findings
from remit.core.discovery.privileges.gcp.findings import gcp_findings
from remit.core.discovery.privileges.github.findings import github_findings
from remit.core.discovery.privileges.kubernetes.findings import kubernetes_findings
from remit.core.discovery.scan import ScannedFinding, Standing
from remit.core.discovery.secrets.findings import secret_findings
from remit.core.discovery.servers.findings import server_findings
from remit.core.discovery.servers.tool_judges import tool_digests
from remit.core.findings.kinds import FindingKind, Severity


class SeenThings(msgspec.Struct, kw_only=True):
    """Everything that the files of a scan held, judged at `now`. `governed` are the upstreams and agents that
    remit knows, `earlier` the digests of tools in an earlier scan. `cut` are the files whose paths of
    escalation were searched in part.
    """

    now: datetime
    secrets: list[ExposedSecret] = []
    servers: list[DeclaredServer] = []
    agents: list[DeclaredAgent] = []
    tools: list[DeclaredTool] = []
    exports: list[PermissionExport] = []
    governed: frozenset[str] = frozenset()
    earlier: Mapping[str, str] = {}
    cut: list[str] = []

    @property
    def homes(self) -> HomeFolders:
        """The home folders among the places."""
        files = {one.place.file for one in self.secrets}
        for things in (self.servers, self.agents, self.tools, self.exports):
            files.update(one.place.file for one in things)
        return HomeFolders(files)


Judge = Callable[[SeenThings], Sequence[Discovered]]


def _secrets(seen: SeenThings) -> Sequence[Discovered]:
    return secret_findings(seen.secrets, seen.agents, seen.servers, seen.homes)


def _servers(seen: SeenThings) -> Sequence[Discovered]:
    return server_findings(
        seen.servers,
        seen.agents,
        seen.tools,
        governed=seen.governed,
        earlier=seen.earlier,
        homes=seen.homes,
    )


def _aws(seen: SeenThings) -> Sequence[Discovered]:
    return aws_findings(seen.exports, now=seen.now, cut=seen.cut)


def _kubernetes(seen: SeenThings) -> Sequence[Discovered]:
    return kubernetes_findings(seen.exports, now=seen.now, cut=seen.cut)


def _azure(seen: SeenThings) -> Sequence[Discovered]:
    return azure_findings(seen.exports, now=seen.now, cut=seen.cut)


def _gcp(seen: SeenThings) -> Sequence[Discovered]:
    return gcp_findings(seen.exports, now=seen.now, cut=seen.cut)


def _github(seen: SeenThings) -> Sequence[Discovered]:
    return github_findings(seen.exports, now=seen.now)


#: What turns things seen into findings, by the names that a report gives to rules that failed.
JUDGES: Final[dict[str, Judge]] = {
    "secrets": _secrets,
    "servers and agents": _servers,
    "AWS": _aws,
    "Kubernetes": _kubernetes,
    "Azure": _azure,
    "Google Cloud": _gcp,
    "GitHub": _github,
}


def merged(findings: Iterable[Discovered]) -> list[Discovered]:
    """Return findings with distinct ids, the most severe first; places of equal findings are united."""
    found: dict[str, Discovered] = {}
    for one in findings:
        before = found.get(one.id)
        found[one.id] = one if before is None else _united(before, one)
    return sorted(found.values(), key=_order)


def _order(one: Discovered) -> tuple[int, str, str, str]:
    place = one.places[0].file if one.places else ""
    return one.weight.rank, one.kind.value, place, one.id


def _united(first: Discovered, second: Discovered) -> Discovered:
    places = tuple(dict.fromkeys((*first.places, *second.places)))[:MOST_PLACES]
    severity = min((first.weight, second.weight), key=lambda one: Severity(one).rank)
    owner = one_owner((first.owner, second.owner))
    return msgspec.structs.replace(first, places=places, severity=severity, owner=owner)


def tools_to_keep(
    seen: SeenThings, found: Iterable[ScannedFinding], was_read: Callable[[str], bool]
) -> dict[str, str]:
    """Return the digests of tools that the next scan compares with.

    A tool that changed keeps its earlier digest until its change is accepted, so that the finding stays open.
    A tool whose file was not read is kept, too.
    """
    kept = {key: one for key, one in seen.earlier.items() if not was_read(key.partition("#")[0])}
    changed = {
        str(one.finding.evidence.get("now")): one.standing is Standing.ACCEPTED
        for one in found
        if one.finding.kind is FindingKind.TOOL_CHANGED
    }
    for key, digest in tool_digests([*seen.tools, *(t for one in seen.servers for t in one.tools)]).items():
        before = seen.earlier.get(key, digest)
        kept[key] = digest if changed.get(digest, True) else before
    return kept
