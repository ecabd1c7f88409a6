# SPDX-License-Identifier: Apache-2.0
"""Findings by who is at work: the agents of a folder, an identity, or the owner of files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.core.coding.calls import CLIENTS
from remit.core.discovery.owners import one_owner
from remit.core.discovery.scan import ScannedFinding, Standing
from remit.core.findings.kinds import Severity
from remit.core.json_value import Json

_FEW: Final = 3
#: Folders of a workplace that are inside it, not it.
_INNER: Final = re.compile(r"\.[^/]*|src|lib|Library|AppData|config|manifests?|deploy|k8s")
#: Identities by the beginning of their names, in words.
_IDENTITIES: Final = (
    (re.compile(r"arn:aws[\w-]*:iam::\d*:(role|user|group|policy)/"), "AWS {}"),
    (re.compile(r"system:(serviceaccount):"), "Kubernetes service account"),
    (re.compile(r"(serviceAccount):"), "Google Cloud service account"),
    (re.compile(r"(user|group):.*@"), "{}"),
)


@dataclass
class FindingGroup:
    """Findings of one agent, identity or owner, the most severe first.

    `does` says what it is, such as its frameworks. `concerns` are findings that are listed in another group
    and name a place of this one, too; `folder` is where it is at work.
    """

    title: str
    does: str = ""
    owner: str = ""
    agent: bool = False
    identity: bool = False
    folder: str = ""
    findings: list[ScannedFinding] = field(default_factory=list)
    concerns: list[ScannedFinding] = field(default_factory=list)

    @property
    def all(self) -> list[ScannedFinding]:
        """Everything that is wrong with it, the worst first."""
        return sorted([*self.findings, *self.concerns], key=_worst)

    @property
    def worst(self) -> ScannedFinding:
        """The finding to begin with."""
        return self.all[0]

    @property
    def says(self) -> str:
        """What is worst, told of a place of its own where the finding has several."""
        finding = self.worst.finding
        if not self.folder or not finding.places or _below(finding.places[0].file, self.folder):
            return finding.says
        first = finding.places[0]
        own = next((one for one in finding.places if _below(one.file, self.folder)), None)
        return finding.says if own is None else finding.says.replace(first.spot, own.spot, 1)

    @property
    def reach(self) -> list[str]:
        """What it reaches by serious findings, the worst first."""
        serious = [one.finding for one in self.all if one.finding.weight.rank <= Severity.HIGH.rank]
        serious.sort(key=lambda one: one.about.startswith("server:"))  # Programs reach less than accounts.
        words = (word.partition(", with all rights")[0] for one in serious for word in one.reach)
        return list(dict.fromkeys(word.replace("`", "") for word in words))

    @property
    def whose(self) -> str:
        """Its owner in words; empty for what needs none."""
        return f"owner {self.owner}" if self.owner else "no owner known" if self.agent else ""

    @property
    def told(self) -> bool:
        """Whether it belongs in a short story: an agent, or an identity that needs an answer soon."""
        return self.agent or (self.identity and self.worst.finding.weight.rank <= Severity.HIGH.rank)

    @property
    def subjects(self) -> list[list[ScannedFinding]]:
        """The findings by what they are about, the worst first."""
        subjects: dict[str, list[ScannedFinding]] = defaultdict(list)
        for one in self.findings:
            subjects[one.finding.about].append(one)
        return list(subjects.values())


@dataclass
class _Workplace:
    """A folder in which agents or clients are declared."""

    folder: str
    agents: dict[str, None] = field(default_factory=dict)
    clients: dict[str, None] = field(default_factory=dict)
    frameworks: dict[str, None] = field(default_factory=dict)
    owners: list[str] = field(default_factory=list)

    def holds(self, file: str) -> bool:
        return _below(file, self.folder)

    def declare(self, name: str, framework: Json) -> None:
        if name in CLIENTS or name == framework or framework is None:
            self.clients[name] = None
        else:
            self.agents[name] = None
            self.frameworks[str(framework)] = None

    @property
    def name(self) -> str:
        return self.folder.rpartition("/")[2]

    def group(self) -> FindingGroup:
        owner, clients = one_owner(self.owners), _few(self.clients)
        title, does = self.name or clients or "this folder", clients
        if self.agents:
            title, does = _few(self.agents), _few([*self.frameworks, *self.clients])
        elif owner and owner == self.name and clients:
            title, does = f"{owner}'s {clients}", self.folder
        return FindingGroup(title, does, owner, agent=True, folder=self.folder)


def open_findings(found: Iterable[ScannedFinding]) -> list[ScannedFinding]:
    """Return the findings that need an answer."""
    return [one for one in found if one.standing in (Standing.NEW, Standing.KNOWN)]


def grouped(found: Iterable[ScannedFinding]) -> list[FindingGroup]:
    """Return findings in their groups: each is listed in one of them."""
    ones = sorted(found, key=_worst)
    places = _workplaces(ones)
    groups: dict[str, FindingGroup] = {}
    for one in ones:
        homes = _homes(one, places)
        key, made = (f"/{homes[0].folder}", homes[0].group()) if homes else _elsewhere(one)
        groups.setdefault(key, made).findings.append(one)
        for other in homes[1:]:
            groups.setdefault(f"/{other.folder}", other.group()).concerns.append(one)
    for group in groups.values():
        if not group.agent:
            group.owner = group.owner or one_owner(one.finding.owner for one in group.findings)
    return sorted(groups.values(), key=_order)


def _workplaces(found: Sequence[ScannedFinding]) -> list[_Workplace]:
    """Return the folders of agents and clients, the deepest first."""
    made: dict[str, _Workplace] = {}
    for one in found:
        finding = one.finding
        kind, _, name = finding.about.partition(":")
        client = finding.evidence.get("client")
        if kind != "agent" and not (isinstance(client, str) and client):
            continue
        folders = dict.fromkeys(_folder(place.file) for place in finding.places)
        for folder in folders:
            at = made.setdefault(folder, _Workplace(folder))
            # What is declared in several folders has the evidence of one of them.
            if len(folders) == 1:
                at.owners.append(finding.owner)
                at.declare(name if kind == "agent" else str(client), finding.evidence.get("framework"))
    return sorted(made.values(), key=lambda one: (-one.folder.count("/"), one.folder))


def _below(file: str, folder: str) -> bool:
    return not folder or file.startswith(f"{folder}/")


def _folder(file: str) -> str:
    """Return the folder that a file of an agent is at work in."""
    parts = file.split("/")[:-1]
    inner = next((n for n, part in enumerate(parts) if _INNER.fullmatch(part)), len(parts))
    return "/".join(parts[:inner])


def _homes(one: ScannedFinding, places: Sequence[_Workplace]) -> list[_Workplace]:
    """Return the workplaces that a finding belongs to, that of an agent first."""
    finding = one.finding
    kind, _, name = finding.about.partition(":")
    if kind == "principal":
        called = short(name).lower()
        same = [at for at in places if called in {*map(str.lower, at.agents), at.name.lower()}]
        if same:
            return [same[0]]
    found = [at for place in finding.places if (at := _holding(place.file, places)) is not None]
    named = finding.evidence.get("agents")
    found += [
        at for at in places if isinstance(named, list | tuple) and not at.agents.keys().isdisjoint(named)
    ]
    if kind == "principal":
        found = [at for at in found if at.folder]
    return sorted({at.folder: at for at in found}.values(), key=lambda at: not at.agents)


def _holding(file: str, places: Sequence[_Workplace]) -> _Workplace | None:
    return next((at for at in places if at.holds(file)), None)


def _elsewhere(one: ScannedFinding) -> tuple[str, FindingGroup]:
    finding = one.finding
    kind, _, name = finding.about.partition(":")
    agents = finding.evidence.get("agents")
    if kind == "principal":
        return finding.about, FindingGroup(short(name), _identity(name), identity=True)
    if kind == "agent" or (isinstance(agents, list | tuple) and agents):
        name = name if kind == "agent" else str(agents[0])  # type: ignore[index]
        return f"agent:{name}", FindingGroup(name, "agent", finding.owner, agent=True)
    if finding.owner:
        return f"owner {finding.owner}", FindingGroup(f"Files of {finding.owner}", "", finding.owner)
    return "", FindingGroup("Elsewhere", "no agent, no owner")


def short(name: str) -> str:
    """Return the last part of an identity's name, such as `deploy` of `arn:aws:iam::1:role/deploy`."""
    return name.rpartition("/")[2].rpartition(":")[2].partition("@")[0] or name


def _identity(name: str) -> str:
    for pattern, words in _IDENTITIES:
        found = pattern.match(name)
        if found is not None:
            return words.format(found[1])
    return "identity"


def _few(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - _FEW
    return ", ".join(every[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _rank(one: ScannedFinding) -> int:
    return one.finding.weight.rank


def _worst(one: ScannedFinding) -> tuple[object, ...]:
    finding = one.finding
    return (
        _rank(one),
        finding.kind.value,
        [place.file for place in finding.places[:1]],
        finding.about,
        finding.says,
    )


def _order(group: FindingGroup) -> tuple[object, ...]:
    """Order groups: agents before identities before files, then by how many findings of each severity."""
    counts = tuple(-sum(_rank(each) == rank for each in group.all) for rank in range(4))
    return (counts[0] == 0, not group.agent, *counts, group.title)
