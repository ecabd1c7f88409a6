# SPDX-License-Identifier: Apache-2.0
"""A tenant as exports of `az` and of its REST API describe it, and what is permitted there.

Source: Microsoft, "How Azure RBAC determines if a user has access to a resource", "Deny assignments".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from remit.core.discovery.declared import PermissionExport
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.azure.roles import BUILTIN, BUILTIN_IDS, RolePermissions, permissions_of
from remit.core.discovery.privileges.values import environment_of, mapping, objects, quoted, text, texts
from remit.core.json_value import Json

#: The principal of deny assignments that means everyone.
_EVERYONE: Final = "00000000-0000-0000-0000-000000000000"
_MANAGEMENT: Final = "/providers/microsoft.management/managementgroups/"
_DEEPEST_LIST: Final = 4
#: Most questions whether something is permitted; what is not asked is not reported.
_MOST_QUESTIONS: Final = 2_000_000


class RoleAssignment(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A role that a principal has at a scope and below. Scopes are in lower case, `/` is the whole tenant."""

    principal: str
    role: str
    scope: str
    permissions: tuple[RolePermissions, ...]
    conditional: bool
    custom: bool
    place: FilePlace

    @property
    def says(self) -> str:
        """The assignment in words."""
        return f"it has role {quoted(self.role)} at {quoted(self.scope)}"

    def permits(self, operation: str, *, data: bool = False) -> bool:
        """Return whether the role permits an operation."""
        return any(p.permits(operation, data=data) for p in self.permissions)


class DenyAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """Operations that principals do not have at a scope, whatever their roles."""

    scope: str
    permissions: tuple[RolePermissions, ...]
    principals: frozenset[str]
    excluded: frozenset[str]
    groups: bool
    excluded_groups: bool
    inherited: bool
    conditional: bool


class AzureResource(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A resource. `identities` are the principals that its code can act as; `open_` is None where unknown.

    `open_` says whether the old way in is open: access policies of a vault, keys of an account.
    """

    id: str
    name: str
    type: str
    place: FilePlace
    identities: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    open_: bool | None = None
    readers: frozenset[str] = frozenset()


class HeldRole(msgspec.Struct, frozen=True):
    """An assignment that permits an operation, and what is unknown of it."""

    assignment: RoleAssignment
    unknown: str


class Tenant:
    """What the exports say, with lookups. Their order does not matter."""

    def __init__(self, exports: Iterable[PermissionExport]) -> None:
        self.names: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.resources: dict[str, AzureResource] = {}
        self.assignments: dict[str, list[RoleAssignment]] = {}
        self.subscriptions: dict[str, str] = {}
        self.scopes_of_roles: dict[str, tuple[str, ...]] = {}
        self.identities: dict[str, str] = {}
        self._denials: list[DenyAssignment] = []
        self._parents: dict[str, str] = {}
        self._definitions: dict[str, tuple[str, tuple[RolePermissions, ...], bool]] = {}
        self._questions = 0
        items = [(item, export.place) for export in exports for item in _listed(export.document)]
        for item, _ in items:
            self._read_definition(item)
        for item, place in items:
            self._read(item, place)
        self.assignments = {p: sorted(set(found)) for p, found in self.assignments.items()}
        self._at: dict[tuple[str, str], list[RoleAssignment]] = {}
        self._above: dict[str, list[RoleAssignment]] = {}
        for principal, found in self.assignments.items():
            for assignment in found:
                self._at.setdefault((principal, assignment.scope), []).append(assignment)
                if not assignment.scope.startswith("/subscriptions/"):
                    self._above.setdefault(principal, []).append(assignment)
        self._denials_of: dict[str, list[DenyAssignment]] = {}
        self._by_type: dict[str, list[str]] = {}
        for resource in sorted(self.resources.values()):
            self._by_type.setdefault(resource.type, []).append(resource.id)

    def has(self, type_: str) -> bool:
        """Return whether a resource of a type was exported."""
        return type_ in self._by_type

    def of_type(self, type_: str, scope: str) -> Iterator[AzureResource]:
        """Yield the resources of a type at and below a scope."""
        ids = self._by_type.get(type_, [])
        if not scope.startswith("/subscriptions/"):
            yield from (self.resources[i] for i in ids if self.covers(scope, i))
            return
        for position in range(bisect_left(ids, scope), len(ids)):
            if not ids[position].startswith(scope):
                return
            if ids[position][len(scope) :][:1] in ("", "/"):
                yield self.resources[ids[position]]

    def covers(self, scope: str, other: str) -> bool:
        """Return whether a scope includes another one.

        A management group includes each subscription that is known to be in it, and all where no hierarchy
        was exported.
        """
        if scope in ("/", other) or other.startswith(f"{scope}/"):
            return True
        if not scope.startswith(_MANAGEMENT):
            return False
        node = "/".join(other.split("/")[:3]) if other.startswith("/subscriptions/") else other
        for _ in range(20):
            if node == scope:
                return True
            if node not in self._parents:
                return not self._parents and node.startswith("/subscriptions/")
            node = self._parents[node]
        return False

    def permitted(
        self,
        principal: str,
        operation: str,
        at: str,
        *,
        data: bool = False,
        more: Iterable[RoleAssignment] = (),
    ) -> HeldRole | None:
        """Return the assignment that permits a principal an operation at a scope, the certain one first."""
        best: HeldRole | None = None
        for assignment in (*self._around(principal, at), *more):
            self._questions += 1
            if self.exhausted:
                return None
            if self.covers(assignment.scope, at) and assignment.permits(operation, data=data):
                denied = self._denied(principal, operation, at, data)
                if denied is None:
                    return best
                unknown = "the condition of its role assignment is met" if assignment.conditional else denied
                if not unknown:
                    return HeldRole(assignment, "")
                best = best or HeldRole(assignment, unknown)
        return best

    @property
    def exhausted(self) -> bool:
        """Whether no further question is answered."""
        return self._questions > _MOST_QUESTIONS

    def _around(self, principal: str, at: str) -> Iterator[RoleAssignment]:
        """Yield the assignments of a principal at a scope, at what contains it, and above subscriptions."""
        yield from self._above.get(principal, ())
        parts = at.split("/")
        for length in range(3, len(parts) + 1) if at.startswith("/subscriptions/") else ():
            yield from self._at.get((principal, "/".join(parts[:length])), ())

    def _denied(self, principal: str, operation: str, at: str, data: bool) -> str | None:
        """Return None if a deny assignment applies for certain, else what is unknown."""
        unknown = ""
        if principal not in self._denials_of:
            self._denials_of[principal] = [
                d for d in self._denials if d.groups or d.principals & {principal, _EVERYONE}
            ]
        for denial in self._denials_of[principal]:
            self._questions += 1
            here = denial.scope == at or (denial.inherited and self.covers(denial.scope, at))
            if not here or not any(p.permits(operation, data=data) for p in denial.permissions):
                continue
            included = bool(denial.principals & {principal, _EVERYONE})
            if principal in denial.excluded or not (included or denial.groups):
                continue
            if included and not denial.conditional and not denial.excluded_groups:
                return None
            # The members of groups and the values of conditions are not exported.
            unknown = "a deny assignment does not apply to it"
        return unknown

    def environment(self, scope: str) -> str:
        """Return `production`, `development` or nothing, by the name of a scope's group or subscription."""
        parts = scope.split("/")
        group = parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else ""
        subscription = self.subscriptions.get("/".join(parts[:3]), "") if scope.startswith("/sub") else ""
        return environment_of(group) or environment_of(subscription)

    def _read_definition(self, item: dict[str, Json]) -> None:
        flat = {**mapping(item, "properties"), **item}
        if isinstance(flat.get("permissions"), list) and text(flat, "roleName"):
            custom = "custom" in (text(flat, "roleType") or text(flat, "type")).lower()
            name, key = text(flat, "roleName"), text(item, "id").lower().rpartition("/")[2]
            self._definitions[key] = (name, permissions_of(flat), custom)
            self._definitions[f"name:{name.lower()}"] = self._definitions[key]
            scopes = tuple(sorted(s.lower().rstrip("/") or "/" for s in texts(flat, "assignableScopes")))
            self.scopes_of_roles[name] = scopes

    def _read(self, item: dict[str, Json], place: FilePlace) -> None:
        flat = {**mapping(item, "properties"), **item}
        id_ = text(item, "id").lower().rstrip("/")
        if text(flat, "principalId") and text(flat, "roleDefinitionId"):
            self._read_assignment(flat, place)
        elif text(flat, "denyAssignmentName"):
            self._denials.append(_denial(flat))
        elif id_.startswith(_MANAGEMENT):
            self._read_group(item, id_, 0)
        elif id_.startswith("/subscriptions/") and "/providers/" in id_ and not flat.get("permissions"):
            self._read_resource(item, flat, id_, place)
        elif text(item, "tenantId") and text(item, "name") and "/" not in id_:
            self.subscriptions[f"/subscriptions/{id_}"] = text(item, "name")

    def _read_assignment(self, flat: dict[str, Json], place: FilePlace) -> None:
        principal = text(flat, "principalId").lower()
        key = text(flat, "roleDefinitionId").lower().rpartition("/")[2]
        name = text(flat, "roleDefinitionName") or BUILTIN_IDS.get(key, "")
        known = self._definitions.get(key) or self._definitions.get(f"name:{name.lower()}")
        role, permissions, custom = known or (name or key, BUILTIN.get(name.lower(), ()), False)
        scope = text(flat, "scope").lower().rstrip("/") or "/"
        self.names.setdefault(principal, text(flat, "principalName") or principal)
        self.types.setdefault(principal, text(flat, "principalType"))
        assignment = RoleAssignment(
            principal=principal,
            role=role,
            scope=scope,
            permissions=permissions,
            conditional=bool(flat.get("condition")),
            custom=custom,
            place=msgspec.structs.replace(place, inside=f"role assignment {text(flat, 'name')}".strip()),
        )
        self.assignments.setdefault(principal, []).append(assignment)

    def _read_group(self, item: dict[str, Json], id_: str, depth: int) -> None:
        parent = text(item, "parent", "id") or text(item, "properties", "parent", "id")
        if parent:
            self._parents[id_] = parent.lower()
        for child in objects(item, "children") if depth < _DEEPEST_LIST * 2 else ():
            child_id = text(child, "id").lower()
            self._parents[child_id] = id_
            self._read_group(child, child_id, depth + 1)

    def _read_resource(
        self, item: dict[str, Json], flat: dict[str, Json], id_: str, place: FilePlace
    ) -> None:
        parts = id_.rpartition("/providers/")[2].split("/")
        type_ = "/".join([parts[0], *parts[1::2]])
        name = text(item, "name") or parts[-1]
        own: list[str] = []
        if principal := text(item, "identity", "principalId"):
            own.append(principal.lower())
        assigned = mapping(item, "identity", "userAssignedIdentities")
        for identity, values in assigned.items():
            if principal := text(values, "principalId"):
                own.append(principal.lower())
                self.identities[principal.lower()] = identity.lower()
                self.names[principal.lower()] = identity.rpartition("/")[2]
        if type_ == "microsoft.managedidentity/userassignedidentities":
            own = [text(flat, "principalId").lower()] if text(flat, "principalId") else []
            self.identities.update(dict.fromkeys(own, id_))
        for principal in own[:1] if principal_named(item) else ():
            self.names[principal] = name
        self.resources[id_] = AzureResource(
            id=id_,
            name=name,
            type=type_,
            identities=tuple(sorted(set(own))),
            assigned=tuple(sorted(i.lower() for i in assigned)),
            open_=_open(type_, item, flat),
            readers=_readers(flat),
            place=msgspec.structs.replace(place, inside=name),
        )


def principal_named(item: dict[str, Json]) -> bool:
    """Return whether the first principal of a resource is named like it: a system-assigned or an identity."""
    return bool(text(item, "identity", "principalId") or text(item, "principalId"))


def _listed(document: Json, depth: int = 0) -> Iterator[dict[str, Json]]:
    if isinstance(document, list) and depth <= _DEEPEST_LIST:
        for member in objects(document):
            yield from _listed(member, depth + 1)
    elif isinstance(document, dict):
        if isinstance(document.get("value"), list):
            yield from _listed(document["value"], depth + 1)
        else:
            yield document


def _denial(flat: dict[str, Json]) -> DenyAssignment:
    return DenyAssignment(
        scope=text(flat, "scope").lower().rstrip("/") or "/",
        permissions=permissions_of(flat),
        principals=frozenset(text(p, "id").lower() for p in objects(flat, "principals")),
        excluded=frozenset(text(p, "id").lower() for p in objects(flat, "excludePrincipals")),
        groups=any(text(p, "type") == "Group" for p in objects(flat, "principals")),
        excluded_groups=any(text(p, "type") == "Group" for p in objects(flat, "excludePrincipals")),
        inherited=flat.get("doNotApplyToChildScopes") is not True,
        conditional=bool(flat.get("condition")),
    )


def _open(type_: str, item: dict[str, Json], flat: dict[str, Json]) -> bool | None:
    if type_ == "microsoft.keyvault/vaults":
        if "enableRbacAuthorization" in flat:
            return flat["enableRbacAuthorization"] is not True
        return True if mapping(item, "properties") and "accessPolicies" in flat else None
    if "allowSharedKeyAccess" in flat:
        return flat["allowSharedKeyAccess"] is not False
    return flat["disableLocalAuth"] is not True if "disableLocalAuth" in flat else None


def _readers(flat: dict[str, Json]) -> frozenset[str]:
    return frozenset(
        text(policy, "objectId").lower()
        for policy in objects(flat, "accessPolicies")
        if {p.lower() for p in texts(policy, "permissions", "secrets")} & {"get", "all"}
    )
