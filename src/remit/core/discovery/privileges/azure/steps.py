# SPDX-License-Identifier: Apache-2.0
"""The steps by which holders of Azure roles gain other rights.

Facts: Microsoft's documentation of each service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.azure.roles import BUILTIN, matches
from remit.core.discovery.privileges.azure.techniques import (
    ASSIGN,
    HOSTS,
    OPENINGS,
    REMEDIATIONS,
    TAKEOVERS,
    IdentityTakeover,
    KeyOpening,
)
from remit.core.discovery.privileges.azure.tenant import AzureResource, HeldRole, RoleAssignment, Tenant
from remit.core.discovery.privileges.paths import CHOSEN, PathStep
from remit.core.discovery.privileges.values import quoted
from remit.core.findings.kinds import Severity

_ASSIGNING: Final = "microsoft.authorization/roleassignments/write"
_DEFINING: Final = "microsoft.authorization/roledefinitions/write"
#: An operation that of the built-in roles only Owner and Contributor have at a subscription.
_WRITING: Final = "microsoft.resources/subscriptions/resourcegroups/write"
_IDENTITY: Final = "microsoft.managedidentity/userassignedidentities"
#: Most resources, of those whose identities own nothing, that one technique of a node is looked for on.
_MOST_OTHERS: Final = 40
_RANKS: Final = {"vault": Severity.HIGH, "cluster": Severity.HIGH, "keys": Severity.MEDIUM}


class TenantSteps:
    """The steps of each node: `principal:ID`, `owner:SCOPE`, `vault:ID`, `keys:ID` or `cluster:ID`."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.owned: dict[str, list[RoleAssignment]] = {}
        self.written: dict[str, list[RoleAssignment]] = {}
        for principal, assignments in tenant.assignments.items():
            for assignment in assignments:
                if not self._unconditional(principal, assignment, _WRITING):
                    continue
                if self._unconditional(principal, assignment, _ASSIGNING):
                    self.owned.setdefault(principal, []).append(assignment)
                elif level_of(assignment.scope) is Severity.CRITICAL:
                    self.written.setdefault(principal, []).append(assignment)
        self.admins = {
            principal
            for principal, owned in self.owned.items()
            if any(level_of(a.scope) is Severity.CRITICAL for a in owned)
        }
        self.weights = self._weighed()

    def steps_of(self, node: str) -> list[PathStep]:
        """Return the steps that a node permits."""
        kind, _, rest = node.partition(":")
        if kind == "principal" and rest not in self.admins:
            return list(self._steps(rest, self.tenant.assignments.get(rest, [])))
        if kind == "owner" and level_of(rest) is not Severity.CRITICAL:
            return list(self._steps(node, [_ownership(node, rest)]))
        return []

    def gains(self, start: str, target: str) -> bool:
        """Return whether a target has a permission beyond reading that the start lacks."""
        mine = self.tenant.assignments.get(start.partition(":")[2], [])
        theirs = self.tenant.assignments.get(target.partition(":")[2], [])
        return any(not self._covered(mine, assignment) for assignment in theirs)

    def holds(self, start: str, target: str) -> bool:
        """Return whether a start has all that a goal would give it."""
        mine, (kind, _, rest) = start.partition(":")[2], target.partition(":")
        if kind == "principal":
            return not self.gains(start, target)
        if kind == "owner":
            return any(self.tenant.covers(a.scope, rest) for a in self.owned.get(mine, ()))
        resource = self.tenant.resources.get(rest)
        if any(self.tenant.covers(a.scope, rest) for a in self.owned.get(mine, ())):
            return True
        reading = next((o.reading for o in OPENINGS if resource and o.type == resource.type), "")
        if resource is not None and mine in resource.readers:
            return True
        return bool(reading) and self.tenant.permitted(mine, reading, rest, data=True) is not None

    def name_of(self, node: str) -> str:
        """Return the name of a node for people."""
        kind, _, rest = node.partition(":")
        if kind == "principal":
            return self.tenant.names.get(rest, rest) + (
                " (owner of a subscription)" if rest in self.admins else ""
            )
        name = self.tenant.resources[rest].name if rest in self.tenant.resources else rest
        words = {"owner": "owner of", "vault": "secrets of vault", "keys": "data of", "cluster": "cluster"}
        return f"{words.get(kind, kind)} {name}"

    def _weighed(self) -> dict[str, Severity]:
        weights: dict[str, Severity] = {}
        for resource in self.tenant.resources.values():
            for opening in OPENINGS:
                if opening.type == resource.type:
                    weights[f"{opening.node}:{resource.id}"] = _RANKS[opening.node]
        for assignments in self.tenant.assignments.values():
            for assignment in assignments:
                weights[f"owner:{assignment.scope}"] = level_of(assignment.scope)
                weights[f"vault:{assignment.scope}"] = Severity.HIGH
        for principal in self.written:
            weights[f"principal:{principal}"] = Severity.HIGH
        for principal, owned in self.owned.items():
            weights[f"principal:{principal}"] = min((level_of(a.scope) for a in owned), key=lambda s: s.rank)
        return weights

    def _unconditional(self, principal: str, assignment: RoleAssignment, operation: str) -> bool:
        if assignment.conditional or not assignment.permits(operation):
            return False
        held = self.tenant.permitted(principal, operation, assignment.scope)
        return held is not None and not held.unknown

    def _steps(self, principal: str, assignments: Sequence[RoleAssignment]) -> Iterator[PathStep]:
        yield from self._role_steps(principal, assignments)
        for takeover in TAKEOVERS:
            yield from self._takeovers(principal, assignments, takeover)
        yield from self._assigned(principal, assignments)
        for opening in OPENINGS:
            yield from self._openings(principal, assignments, opening)

    def _role_steps(self, principal: str, assignments: Sequence[RoleAssignment]) -> Iterator[PathStep]:
        if principal.startswith("owner:"):
            return
        for assignment in assignments:
            if assignment in self.owned.get(principal, ()):
                continue
            held = self._held(principal, assignments, (_ASSIGNING,), assignment.scope)
            if held and assignment.permits(_ASSIGNING):
                says = f"assign itself Owner at {quoted(assignment.scope)}"
                yield _step("role-assignment", f"owner:{assignment.scope}", says, held)
            if assignment.custom:
                scopes = self.tenant.scopes_of_roles.get(assignment.role, ())
                each = [self._held(principal, assignments, (_DEFINING,), scope) for scope in scopes]
                if each and all(each):
                    says = f"add every operation to its role {quoted(assignment.role)}"
                    held = [h for found in each if found for h in found]
                    yield _step("role-definition", f"owner:{assignment.scope}", says, held)

    def _takeovers(
        self, principal: str, assignments: Sequence[RoleAssignment], takeover: IdentityTakeover
    ) -> Iterator[PathStep]:
        operations = [operation for alternative in takeover.alternatives for operation in alternative]
        others = 0
        for resource in self._resources(assignments, takeover.type, operations, data=takeover.data):
            if not any(f"principal:{identity}" in self.weights for identity in resource.identities):
                others += 1
                if others > _MOST_OTHERS:
                    continue
            for alternative in takeover.alternatives if resource.identities else ():
                held = self._held(principal, assignments, alternative, resource.id, data=takeover.data)
                if held:
                    for identity in resource.identities:
                        says = f"{takeover.says} {quoted(resource.name)}, which acts as {CHOSEN}"
                        yield _step(takeover.technique, f"principal:{identity}", says, held)
                    break

    def _assigned(self, principal: str, assignments: Sequence[RoleAssignment]) -> Iterator[PathStep]:
        hosting: list[HeldRole] | None = None
        assigns = any(assignment.permits(one) for assignment in assignments for one in ASSIGN)
        for scope in sorted({assignment.scope for assignment in assignments}) if assigns else ():
            for alternative in HOSTS:
                hosting = hosting or self._held(principal, assignments, alternative, scope)
        for resource in self._resources(assignments, _IDENTITY, ASSIGN) if hosting else ():
            ways = (self._held(principal, assignments, (one,), resource.id) for one in ASSIGN)
            assigning = next((held for held in ways if held), None)
            for identity in resource.identities if assigning and hosting else ():
                says = f"assign managed identity {quoted(resource.name)} to its own program, as {CHOSEN}"
                yield _step(
                    "assign-identity", f"principal:{identity}", says, [*(assigning or ()), *(hosting or ())]
                )

    def _openings(
        self, principal: str, assignments: Sequence[RoleAssignment], opening: KeyOpening
    ) -> Iterator[PathStep]:
        if opening.node == "vault" and not self.tenant.has(opening.type):
            yield from self._unlisted(principal, assignments, opening)
        for resource in self._resources(assignments, opening.type, opening.operations):
            if resource.open_ is False:
                continue
            for operation in opening.operations:
                held = self._held(principal, assignments, (operation,), resource.id)
                if held:
                    unknown = opening.unknown if resource.open_ is None else ""
                    says = f"{opening.says} {quoted(resource.name)}"
                    yield _step(opening.technique, f"{opening.node}:{resource.id}", says, held, unknown)
                    break

    def _unlisted(
        self, principal: str, assignments: Sequence[RoleAssignment], opening: KeyOpening
    ) -> Iterator[PathStep]:
        """Yield the steps of roles that are about vaults, where no vault was exported."""
        for assignment in assignments:
            patterns = [p for permissions in assignment.permissions for p in permissions.actions]
            held = self._held(principal, assignments, opening.operations[:1], assignment.scope)
            if held and assignment.permits(opening.operations[0]) and any("keyvault" in p for p in patterns):
                unknown, target = "a vault there uses access policies", f"{opening.node}:{assignment.scope}"
                yield _step(opening.technique, target, f"{opening.says}s there", held, unknown)

    def _resources(
        self,
        assignments: Sequence[RoleAssignment],
        type_: str,
        operations: Sequence[str],
        *,
        data: bool = False,
    ) -> Iterator[AzureResource]:
        """Yield the resources of a type on which an assignment permits one of the operations."""
        able = [a for a in assignments if any(a.permits(operation, data=data) for operation in operations)]
        seen: set[str] = set()
        for scope in sorted({assignment.scope for assignment in able}) if not self.tenant.exhausted else ():
            for resource in self.tenant.of_type(type_, scope):
                if resource.id not in seen:
                    seen.add(resource.id)
                    yield resource

    def _held(
        self,
        principal: str,
        assignments: Sequence[RoleAssignment],
        operations: Sequence[str],
        at: str,
        *,
        data: bool = False,
    ) -> list[HeldRole] | None:
        """Return what permits all operations at a scope; None where one is not permitted."""
        more = assignments if principal.startswith("owner:") else ()
        held = [self.tenant.permitted(principal, o, at, data=data, more=more) for o in operations]
        found = [h for h in held if h is not None]
        return found if len(found) == len(held) else None

    def _covered(self, mine: Sequence[RoleAssignment], other: RoleAssignment) -> bool:
        """Return whether assignments permit all that another one permits, reading aside."""
        near = [a for a in mine if not a.conditional and self.tenant.covers(a.scope, other.scope)]
        for permissions in other.permissions:
            for data, patterns in ((False, permissions.actions), (True, permissions.data)):
                for pattern in patterns:
                    if not data and pattern.endswith("/read"):
                        continue
                    if not any(_includes(a, pattern, permissions.not_actions, data) for a in near):
                        return False
        return True


def level_of(scope: str) -> Severity:
    """Return how severe the ownership of a scope is."""
    if not scope.startswith("/subscriptions/") or scope.count("/") == 2:
        return Severity.CRITICAL
    return Severity.HIGH if scope.count("/") == 4 else Severity.MEDIUM


def _includes(mine: RoleAssignment, pattern: str, without: Sequence[str], data: bool) -> bool:
    """Return whether an assignment permits each operation of a pattern, except those that it is `without`."""
    for permissions in mine.permissions:
        some = permissions.data if data else permissions.actions
        none = permissions.not_data if data else permissions.not_actions
        open_ = [n for n in none if not any(matches(w, n) for w in without) and _overlap(n, pattern)]
        if any(matches(p, pattern) for p in some) and not open_:
            return True
    return False


def _overlap(first: str, second: str) -> bool:
    return matches(first, second) or matches(second, first)


def _ownership(node: str, scope: str) -> RoleAssignment:
    return RoleAssignment(
        principal=node,
        role="Owner",
        scope=scope,
        permissions=BUILTIN["owner"],
        conditional=False,
        custom=False,
        place=FilePlace(file=""),
    )


def _step(technique: str, target: str, says: str, held: Sequence[HeldRole], unknown: str = "") -> PathStep:
    unknowns = dict.fromkeys(u for u in (unknown, *(h.unknown for h in held)) if u)
    shown = [h.assignment for h in held if h.assignment.place.file]
    return PathStep(
        technique=technique,
        target=target,
        says=says,
        by="; ".join(dict.fromkeys(a.says for a in shown)),
        remediation=REMEDIATIONS[technique],
        unknown=" and ".join(unknowns),
        places=tuple(dict.fromkeys(a.place for a in shown)),
    )
