# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the policies of Google Cloud."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import MOST_PLACES, Discovered
from remit.core.discovery.privileges.gcp.hierarchy import ACCOUNT, PUBLIC, Hierarchy, PolicyBinding
from remit.core.discovery.privileges.gcp.roles import grants
from remit.core.discovery.privileges.gcp.steps import HierarchySteps
from remit.core.discovery.privileges.paths import StepSearch, path_finding
from remit.core.discovery.privileges.values import current, environment_of, quoted
from remit.core.findings.kinds import FindingKind, Severity

_WIDE: Final = FindingKind.WIDE_AUTHORITY
_REMEDIATIONS: Final = {
    FindingKind.WIDE_AUTHORITY: "grant roles for the task, on the resources that it needs",
    FindingKind.UNUSED_AUTHORITY: "remove the binding",
    FindingKind.ENVIRONMENT_CROSSED: "use one service account for each environment",
}


def gcp_findings(
    exports: Sequence[PermissionExport], *, now: datetime, cut: list[str] | None = None
) -> list[Discovered]:
    """Return what is wrong with the policies that exports describe, in a fixed order.

    Bindings whose condition ended before `now` do not count. Files that were searched in part are added to
    `cut`.
    """
    hierarchy = Hierarchy(current(exports, PermissionSource.GCP), now)
    steps = HierarchySteps(hierarchy)
    starts = [m for m in hierarchy.bindings if m not in steps.owners and not _is_system(hierarchy, m)]
    search = StepSearch(starts, steps.steps_of, steps.weights, steps.gains, steps.holds)
    found = [
        path_finding(path, about=f"principal:{path.start}", name_of=steps.name_of) for path in search.paths()
    ]
    if cut is not None and not search.complete:
        cut += [one.place.file for one in exports if one.provider is PermissionSource.GCP]
    for part in (_wide(hierarchy, steps), _unused(hierarchy), _shared(hierarchy, steps), _crossed(hierarchy)):
        found += part
    return sorted(found, key=lambda f: (f.weight.rank, f.kind, f.about, f.which))


def _is_system(hierarchy: Hierarchy, member: str) -> bool:
    return hierarchy.is_agent(member) or member.startswith(
        ("deleted:", "projectOwner:", "projectEditor:", "projectViewer:")
    )


def _wide(hierarchy: Hierarchy, steps: HierarchySteps) -> Iterator[Discovered]:
    for member, bindings in sorted(hierarchy.bindings.items()):
        if member in PUBLIC:
            public = [b for b in bindings if b.patterns or "viewer" not in b.role.lower()]
            if public:
                says = "stands for everyone on the internet"
                yield _finding(_WIDE, member, "public", public, says, Severity.CRITICAL)
            continue
        if _is_system(hierarchy, member):
            continue
        for binding in steps.owners.get(member, ()):
            says = f"owns {quoted(binding.resource)}"
            yield _finding(_WIDE, member, f"owner {binding.resource}", [binding], says, Severity.HIGH)
        for binding in steps.editors.get(member, ()):
            says = f"may change nearly everything in {quoted(binding.resource)}"
            yield _finding(_WIDE, member, f"editor {binding.resource}", [binding], says, Severity.MEDIUM)
        policies = [
            b for b in bindings if grants(b.patterns, "orgpolicy.policy.set") and b.role != "roles/owner"
        ]
        if policies:
            says = "may lift the constraints of organization policies"
            yield _finding(_WIDE, member, "organization policies", policies, says, Severity.MEDIUM)


def _unused(hierarchy: Hierarchy) -> Iterator[Discovered]:
    for member, bindings in sorted(hierarchy.bindings.items()):
        if member.startswith("deleted:"):
            yield _finding(
                FindingKind.UNUSED_AUTHORITY, member, "deleted", bindings, "has roles, and was deleted"
            )


def _shared(hierarchy: Hierarchy, steps: HierarchySteps) -> Iterator[Discovered]:
    """Yield default service accounts, and those with wide authority, that run several workloads."""
    for account, users in sorted(hierarchy.users.items()):
        email = account.removeprefix(ACCOUNT)
        default = "-compute@developer." in email or "@appspot." in email
        wide = account in steps.owners or account in steps.editors
        if len(users) < 2 or not hierarchy.bindings.get(account) or not (default or wide):
            continue
        names = ", ".join(quoted(name) for name in sorted(users)[:5])
        yield Discovered(
            kind=FindingKind.SECRET_SHARED,
            about=f"principal:{account}",
            which="service account",
            says=f"Service account {quoted(email)} is the identity of {len(users)} workloads: {names}.",
            places=tuple(sorted(set(users.values())))[:MOST_PLACES],
            severity=Severity.HIGH if wide else Severity.MEDIUM,
            evidence={"workloads": sorted(users)[:MOST_PLACES]},
            remediation="give each workload its own service account, with the roles that it needs",
        )


def _crossed(hierarchy: Hierarchy) -> Iterator[Discovered]:
    for account, project in sorted(hierarchy.accounts.items()):
        home = environment_of(project.partition("/")[2])
        for binding in hierarchy.bindings.get(account, ()):
            there = environment_of(binding.resource.partition("/")[2].partition("@")[2] or binding.resource)
            writes = bool(binding.patterns) or not binding.role.lower().endswith("viewer")
            if {home, there} == {"production", "development"} and writes and binding.resource != project:
                says = f"belongs to {home} and has {quoted(binding.role)} in {there}"
                yield _finding(FindingKind.ENVIRONMENT_CROSSED, account, binding.resource, [binding], says)


def _finding(
    kind: FindingKind,
    member: str,
    which: str,
    bindings: Sequence[PolicyBinding],
    says: str,
    severity: Severity | None = None,
) -> Discovered:
    return Discovered(
        kind=kind,
        about=f"principal:{member}",
        which=which,
        says=f"{quoted(member)} {says}: {bindings[0].says}.",
        places=tuple(dict.fromkeys(b.place for b in bindings))[:MOST_PLACES],
        severity=severity,
        evidence={"roles": [f"{b.role} on {b.resource}" for b in bindings[:MOST_PLACES]]},
        reach=tuple(dict.fromkeys(quoted(b.resource) for b in bindings[:MOST_PLACES])),
        remediation=_REMEDIATIONS[kind],
    )
