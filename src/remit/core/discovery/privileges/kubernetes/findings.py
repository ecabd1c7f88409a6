# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the permissions of clusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import MOST_PLACES, Discovered, FilePlace
from remit.core.discovery.privileges.kubernetes.cluster import (
    ACCOUNT,
    GROUP,
    USER,
    WIDE_GROUPS,
    Cluster,
    RuleGrant,
    is_platform,
    listed,
    place_of,
    shown,
)
from remit.core.discovery.privileges.kubernetes.roles import RBAC
from remit.core.discovery.privileges.kubernetes.steps import ClusterSteps
from remit.core.discovery.privileges.paths import StepSearch, path_finding
from remit.core.discovery.privileges.values import current, quoted, text
from remit.core.findings.kinds import FindingKind, Severity

_WIDE: Final = FindingKind.WIDE_AUTHORITY
_READING: Final = frozenset({"get", "list", "watch"})
#: Most workloads that a sentence names.
_MOST_NAMES: Final = 5
#: What to do about each kind of finding.
_REMEDIATIONS: Final = {
    FindingKind.WIDE_AUTHORITY: "bind a role that names the verbs and resources that its tasks need",
    FindingKind.UNUSED_AUTHORITY: "delete the binding, or the service account",
    FindingKind.ENVIRONMENT_CROSSED: "delete the binding; give each environment its own service account",
}
#: Verbs that suspend the limits of RBAC, with the resources that they are about.
_SUSPENDING: Final = (
    ("escalate", RBAC, "clusterroles"),
    ("escalate", RBAC, "roles"),
    ("bind", RBAC, "clusterroles"),
    ("bind", RBAC, "roles"),
    ("impersonate", "", "groups"),
)


def kubernetes_findings(
    exports: Sequence[PermissionExport], *, now: datetime, cut: list[str] | None = None
) -> list[Discovered]:
    """Return what is wrong with the permissions of the clusters that exports describe, in a fixed order.

    Files that were searched in part are added to `cut`.
    """
    found: dict[str, Discovered] = {}
    for group in _clusters(current(exports, PermissionSource.KUBERNETES)):
        missed: list[str] = []
        for finding in _cluster_findings(Cluster(group), missed):
            found.setdefault(finding.id, finding)
        if cut is not None and missed:
            cut += [one.place.file for one in group]
    return sorted(found.values(), key=lambda f: (f.weight.rank, f.kind, f.about, f.which))


def _clusters(exports: Iterable[PermissionExport]) -> list[list[PermissionExport]]:
    """Return exports by cluster: those of one folder, unless their objects contradict each other.

    Manifests, which lack ids, belong together by their first folder.
    """
    groups: dict[str, list[PermissionExport]] = {}
    ids: dict[str, dict[tuple[str, str, str], str]] = {}
    for export in exports:
        uids = {
            (text(i, "kind"), text(i, "metadata", "namespace"), text(i, "metadata", "name")): uid
            for i in listed(export.document)
            if (uid := text(i, "metadata", "uid"))
        }
        parts = export.place.file.split("/")
        folder = "/".join(parts[:-1]) if uids else parts[0] if len(parts) > 1 else ""
        known = ids.setdefault(folder, {})
        if any(known.get(key, uid) != uid for key, uid in uids.items()):
            folder = export.place.file
            known = ids.setdefault(folder, {})
        known.update(uids)
        groups.setdefault(folder, []).append(export)
    return list(groups.values())


def _cluster_findings(cluster: Cluster, missed: list[str]) -> Iterator[Discovered]:
    steps = ClusterSteps(cluster)
    starts = {
        subject
        for subject, grants in cluster.grants.items()
        if subject not in steps.admins and any(not grant.builtin for grant in grants)
    }
    search = StepSearch(starts, steps.steps_of, steps.weights, steps.gains)
    pathed: set[tuple[str, str]] = set()
    for path in search.paths():
        pathed.add((path.start, path.technique))
        reach = (
            [f"administrator of the cluster, as {shown(path.target)}"] if path.target in steps.admins else []
        )
        if (account := cluster.accounts.get(path.target)) and account.cloud:
            reach.append(f"the cloud as {quoted(account.cloud)}")
        yield path_finding(path, about=f"principal:{path.start}", name_of=steps.name_of, reach=reach)
    if not search.complete:
        missed.append("paths")
    yield from _wide(cluster, steps, pathed)
    yield from _shared(cluster, steps)
    yield from _unused(cluster)
    yield from _crossed(cluster)


def _wide(cluster: Cluster, steps: ClusterSteps, pathed: set[tuple[str, str]]) -> Iterator[Discovered]:
    for subject, grants in sorted(cluster.grants.items()):
        own = [grant for grant in grants if not grant.builtin]
        everything = [grant for grant in own if grant.rule.everything]
        admin = [grant for grant in everything if not grant.namespace]
        if admin:
            says, reach = "is an administrator of the cluster", ("administrator of the cluster",)
            severity = Severity.CRITICAL if _public(subject) else Severity.HIGH
            yield _finding(_WIDE, subject, "administrator", admin, says, severity, reach)
            continue
        for namespace in sorted({grant.namespace for grant in everything}):
            here = [grant for grant in everything if grant.namespace == namespace]
            where = f"namespace {quoted(namespace)}"
            says = f"may do everything in {where}"
            yield _finding(_WIDE, subject, f"namespace {namespace}", here, says, Severity.MEDIUM, (where,))
        writing = [grant for grant in own if _beyond_reading(grant)] if _public(subject) else []
        if writing:
            says = "may write or read secrets, and every caller belongs to it"
            yield _finding(_WIDE, subject, "public", writing, says, Severity.HIGH)
        for verb, group, resource in _SUSPENDING:
            held = [g for g in own if g.rule.permits(verb, group, resource) and not g.rule.everything]
            # The steps by these rights are named like their verbs.
            if held and (subject, verb) not in pathed:
                says = f"holds {quoted(verb)} on {quoted(resource)}, which lifts a limit of RBAC"
                yield _finding(_WIDE, subject, f"{verb} {resource}", held, says, Severity.MEDIUM)


def _public(subject: str) -> bool:
    return subject in (f"{USER}system:anonymous", *(f"{GROUP}{name}" for name in WIDE_GROUPS))


def _beyond_reading(grant: RuleGrant) -> bool:
    rule = grant.rule
    secrets = not rule.names and any(rule.permits(verb, "", "secrets") for verb in _READING)
    return secrets or not rule.verbs <= _READING


def _shared(cluster: Cluster, steps: ClusterSteps) -> Iterator[Discovered]:
    """Yield service accounts of several workloads: `default` with rights, and administrators."""
    users: dict[str, set[str]] = {}
    places: dict[str, set[FilePlace]] = {}
    for workload in cluster.running(""):
        if not workload.owned:
            users.setdefault(workload.account, set()).add(f"{workload.kind} {workload.name}")
            places.setdefault(workload.account, set()).add(workload.place)
    for account, names in sorted(users.items()):
        default = place_of(account)[1] == "default" and any(
            not g.builtin for g in cluster.grants.get(account, ())
        )
        if len(names) < 2 or is_platform(account) or not (default or account in steps.admins):
            continue
        listed_names = ", ".join(quoted(name) for name in sorted(names)[:_MOST_NAMES])
        yield Discovered(
            kind=FindingKind.SECRET_SHARED,
            about=f"principal:{account}",
            which="service account",
            says=f"{_called(account)} is the identity of {len(names)} workloads: {listed_names}.",
            places=tuple(sorted(places[account]))[:MOST_PLACES],
            severity=Severity.HIGH if account in steps.admins else Severity.MEDIUM,
            evidence={"workloads": sorted(names)[:MOST_PLACES]},
            remediation="give each workload its own service account, with the rights that it needs",
        )


def _unused(cluster: Cluster) -> Iterator[Discovered]:
    """Yield service accounts that have rights, and that no workload uses."""
    used = {workload.account for workload in cluster.workloads}
    for account, grants in sorted(cluster.grants.items()):
        own = [grant for grant in grants if not grant.builtin]
        # A namespace whose workloads are not exported says nothing about its service accounts.
        known = account.startswith(ACCOUNT) and place_of(account)[0] in cluster.workloads_in
        if known and own and account not in used and not is_platform(account):
            says = "has rights, and no workload uses it"
            yield _finding(FindingKind.UNUSED_AUTHORITY, account, "no workload", own, says)


def _crossed(cluster: Cluster) -> Iterator[Discovered]:
    for account, grants in sorted(cluster.grants.items()):
        home = place_of(account)[0] if account.startswith(ACCOUNT) else ""
        reached: dict[str, list[RuleGrant]] = {}
        for grant in grants:
            if home and grant.namespace not in ("", home) and _beyond_reading(grant):
                reached.setdefault(grant.namespace, []).append(grant)
        for namespace, there in sorted(reached.items()):
            pair = cluster.environment(home), cluster.environment(namespace)
            if set(pair) == {"development", "production"}:
                where = f"namespace {quoted(namespace)}"
                says = f"of {pair[0]} has rights in {where} of {pair[1]}"
                yield _finding(FindingKind.ENVIRONMENT_CROSSED, account, where, there, says, None, (where,))


def _called(subject: str) -> str:
    words = shown(subject)
    return words[0].upper() + words[1:]


def _finding(
    kind: FindingKind,
    subject: str,
    which: str,
    grants: Sequence[RuleGrant],
    says: str,
    severity: Severity | None = None,
    reach: tuple[str, ...] = (),
) -> Discovered:
    bindings = list(dict.fromkeys(grant.by for grant in grants))
    return Discovered(
        kind=kind,
        about=f"principal:{subject}",
        which=which,
        says=f"{_called(subject)} {says}: {bindings[0]}.",
        places=tuple(dict.fromkeys(grant.place for grant in grants))[:MOST_PLACES],
        severity=severity,
        evidence={"bindings": [*bindings[:MOST_PLACES]]},
        reach=reach,
        remediation=_REMEDIATIONS[kind],
    )
