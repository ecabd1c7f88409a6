# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the permissions of Azure tenants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import MOST_PLACES, Discovered
from remit.core.discovery.privileges.azure.steps import TenantSteps, level_of
from remit.core.discovery.privileges.azure.tenant import RoleAssignment, Tenant
from remit.core.discovery.privileges.paths import StepSearch, path_finding
from remit.core.discovery.privileges.values import current, quoted
from remit.core.findings.kinds import FindingKind, Severity

_REMEDIATIONS: Final = {
    FindingKind.WIDE_AUTHORITY: "assign a role for the task, at the resource group or resource that it needs",
    FindingKind.UNUSED_AUTHORITY: "delete the role assignment",
    FindingKind.ENVIRONMENT_CROSSED: "use one identity for each environment",
}


def azure_findings(
    exports: Sequence[PermissionExport], *, now: datetime, cut: list[str] | None = None
) -> list[Discovered]:
    """Return what is wrong with the permissions of the tenant that exports describe, in a fixed order.

    Files that were searched in part are added to `cut`.
    """
    tenant = Tenant(current(exports, PermissionSource.AZURE))
    steps = TenantSteps(tenant)
    starts = [f"principal:{p}" for p in tenant.assignments if p not in steps.admins]
    search = StepSearch(starts, steps.steps_of, steps.weights, steps.gains, steps.holds)
    found = [
        path_finding(path, about=f"principal:azure:{path.start.partition(':')[2]}", name_of=steps.name_of)
        for path in search.paths()
    ]
    if cut is not None and not search.complete:
        cut += [one.place.file for one in exports if one.provider is PermissionSource.AZURE]
    for part in (_wide(tenant, steps), _unused(tenant), _shared(tenant), _crossed(tenant)):
        found += part
    return sorted(found, key=lambda f: (f.weight.rank, f.kind, f.about, f.which))


def _wide(tenant: Tenant, steps: TenantSteps) -> Iterator[Discovered]:
    for principal, owned in sorted(steps.owned.items()):
        for assignment in owned:
            level = level_of(assignment.scope)
            severity = Severity.HIGH if level is Severity.CRITICAL else Severity.MEDIUM
            says = f"owns {quoted(assignment.scope)} and may assign every role there"
            yield _finding(
                tenant,
                FindingKind.WIDE_AUTHORITY,
                principal,
                f"owner {assignment.scope}",
                [assignment],
                says,
                severity,
            )
    for principal, written in sorted(steps.written.items()):
        for assignment in written:
            says = f"may change every resource of {quoted(assignment.scope)}"
            yield _finding(
                tenant,
                FindingKind.WIDE_AUTHORITY,
                principal,
                f"writes {assignment.scope}",
                [assignment],
                says,
                Severity.MEDIUM,
            )


def _unused(tenant: Tenant) -> Iterator[Discovered]:
    for principal, assignments in sorted(tenant.assignments.items()):
        if tenant.types.get(principal) == "Unknown":
            says = "has roles, and no longer exists"
            yield _finding(tenant, FindingKind.UNUSED_AUTHORITY, principal, "deleted", assignments, says)


def _shared(tenant: Tenant) -> Iterator[Discovered]:
    users: dict[str, list[str]] = {}
    for resource in sorted(tenant.resources.values()):
        for identity in resource.identities:
            if tenant.identities.get(identity, resource.id) != resource.id:
                users.setdefault(identity, []).append(resource.id)
    for identity, ids in sorted(users.items()):
        groups = {"/".join(id_.split("/")[:5]) for id_ in ids}
        assignments = tenant.assignments.get(identity, [])
        if len(ids) < 2 or not assignments:
            continue
        called = quoted(tenant.names.get(identity, identity))
        names = ", ".join(quoted(tenant.resources[id_].name) for id_ in ids[:5])
        yield Discovered(
            kind=FindingKind.SECRET_SHARED,
            about=f"principal:azure:{identity}",
            which="managed identity",
            says=f"Managed identity {called} is used by {len(ids)} resources: {names}.",
            places=tuple(dict.fromkeys(tenant.resources[id_].place for id_ in ids))[:MOST_PLACES],
            severity=Severity.MEDIUM if len(groups) > 1 else Severity.LOW,
            evidence={"resources": [*ids[:MOST_PLACES]]},
            remediation="give each program its own managed identity, with the roles that it needs",
        )


def _crossed(tenant: Tenant) -> Iterator[Discovered]:
    """Yield identities of resources in one environment that may write in the other."""
    homes: dict[str, set[str]] = {}
    for resource in tenant.resources.values():
        for identity in resource.identities:
            homes.setdefault(identity, set()).add(tenant.environment(resource.id))
    for identity, environments in sorted(homes.items()):
        for assignment in tenant.assignments.get(identity, ()):
            pair = {*environments, tenant.environment(assignment.scope)}
            if environments != pair and pair == {"production", "development"} and len(environments) == 1:
                home = next(iter(environments))
                there = tenant.environment(assignment.scope)
                says = f"belongs to {home} and has role {quoted(assignment.role)} in {there}"
                yield _finding(
                    tenant, FindingKind.ENVIRONMENT_CROSSED, identity, assignment.scope, [assignment], says
                )


def _finding(
    tenant: Tenant,
    kind: FindingKind,
    principal: str,
    which: str,
    assignments: Sequence[RoleAssignment],
    says: str,
    severity: Severity | None = None,
) -> Discovered:
    type_ = {"User": "User", "Group": "Group"}.get(tenant.types.get(principal, ""), "Service principal")
    return Discovered(
        kind=kind,
        about=f"principal:azure:{principal}",
        which=which,
        says=f"{type_} {quoted(tenant.names.get(principal, principal))} {says}: {assignments[0].says}.",
        places=tuple(dict.fromkeys(a.place for a in assignments))[:MOST_PLACES],
        severity=severity,
        evidence={"roles": [f"{a.role} at {a.scope}" for a in assignments[:MOST_PLACES]]},
        reach=tuple(quoted(a.scope) for a in assignments[:MOST_PLACES]),
        remediation=_REMEDIATIONS[kind],
    )
