# SPDX-License-Identifier: Apache-2.0
"""Azure role definitions: what they permit, and those built-in roles that matter for escalation.

Source: Microsoft, "Azure built-in roles" and "Understand Azure role definitions".
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.discovery.privileges.values import objects, texts
from remit.core.json_value import Json


class RolePermissions(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Patterns of operations in lower case, in which `*` is any text."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    not_data: tuple[str, ...] = ()

    def permits(self, operation: str, *, data: bool = False) -> bool:
        """Return whether an operation, in lower case, is permitted; an operation may be a pattern itself."""
        some, none = (self.data, self.not_data) if data else (self.actions, self.not_actions)
        return any(matches(p, operation) for p in some) and not any(matches(p, operation) for p in none)


def matches(pattern: str, operation: str) -> bool:
    """Return whether a pattern with `*` takes an operation; linear, without backtracking."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == operation
    if not operation.startswith(first):
        return False
    position = len(first)
    for part in rest[:-1]:
        position = operation.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return operation.endswith(rest[-1]) and len(operation) - len(rest[-1]) >= position


def permissions_of(definition: dict[str, Json]) -> tuple[RolePermissions, ...]:
    """Return the permissions of a role definition or a deny assignment."""
    return tuple(
        RolePermissions(
            actions=_lowered(entry, "actions"),
            not_actions=_lowered(entry, "notActions"),
            data=_lowered(entry, "dataActions"),
            not_data=_lowered(entry, "notDataActions"),
        )
        for entry in objects(definition, "permissions")
    )


def _lowered(entry: dict[str, Json], name: str) -> tuple[str, ...]:
    return tuple(sorted({found.lower() for found in texts(entry, name)}))


def _role(actions: str, *, without: str = "", data: str = "") -> tuple[RolePermissions, ...]:
    return (
        RolePermissions(
            actions=tuple(actions.lower().split()),
            not_actions=tuple(without.lower().split()),
            data=tuple(data.lower().split()),
        ),
    )


_NOT_OF_CONTRIBUTORS: Final = (
    "Microsoft.Authorization/*/Delete Microsoft.Authorization/*/Write "
    "Microsoft.Authorization/elevateAccess/Action Microsoft.Blueprint/blueprintAssignments/write"
)
#: Built-in roles by name in lower case, where the export brings no definitions. Reading is left out.
BUILTIN: Final[dict[str, tuple[RolePermissions, ...]]] = {
    "owner": _role("*"),
    "contributor": _role("*", without=_NOT_OF_CONTRIBUTORS),
    "reader": _role("*/read"),
    "user access administrator": _role("*/read Microsoft.Authorization/*"),
    "role based access control administrator": _role(
        "Microsoft.Authorization/roleAssignments/write Microsoft.Authorization/roleAssignments/delete */read"
    ),
    "key vault contributor": _role("Microsoft.KeyVault/*"),
    "key vault administrator": _role("", data="Microsoft.KeyVault/vaults/*"),
    "key vault secrets officer": _role("", data="Microsoft.KeyVault/vaults/secrets/*"),
    "key vault secrets user": _role("", data="Microsoft.KeyVault/vaults/secrets/getSecret/action"),
    "managed identity contributor": _role(
        "Microsoft.ManagedIdentity/userAssignedIdentities/write "
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write "
        "Microsoft.Resources/deployments/*"
    ),
    "managed identity operator": _role("Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"),
    "virtual machine contributor": _role(
        "Microsoft.Compute/virtualMachines/* Microsoft.Compute/virtualMachineScaleSets/* "
        "Microsoft.Resources/deployments/*"
    ),
    "virtual machine administrator login": _role(
        "", data="Microsoft.Compute/virtualMachines/login/action "
        "Microsoft.Compute/virtualMachines/loginAsAdmin/action"
    ),
    "log analytics contributor": _role(
        "*/read Microsoft.Compute/virtualMachines/extensions/* "
        "Microsoft.Storage/storageAccounts/listKeys/action Microsoft.Resources/deployments/*"
    ),
    "website contributor": _role("Microsoft.Web/sites/* Microsoft.Resources/deployments/*"),
    "automation contributor": _role("Microsoft.Automation/automationAccounts/*"),
    "automation operator": _role("Microsoft.Automation/automationAccounts/jobs/write"),
    "automation job operator": _role("Microsoft.Automation/automationAccounts/jobs/write"),
    "logic app contributor": _role("Microsoft.Logic/* Microsoft.Resources/deployments/*"),
    "storage account contributor": _role("Microsoft.Storage/storageAccounts/*"),
    "storage account key operator service role": _role("Microsoft.Storage/storageAccounts/listkeys/action"),
    "reader and data access": _role("Microsoft.Storage/storageAccounts/listKeys/action"),
    "storage blob data owner": _role("", data="Microsoft.Storage/storageAccounts/blobServices/*"),
    "storage blob data contributor": _role(
        "", data="Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"
    ),
    "storage blob data reader": _role(
        "", data="Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
    ),
    "virtual machine user login": _role("", data="Microsoft.Compute/virtualMachines/login/action"),
    "cognitive services user": _role("Microsoft.CognitiveServices/accounts/listkeys/action"),
    "azure kubernetes service rbac cluster admin": _role(
        "", data="Microsoft.ContainerService/managedClusters/*"
    ),
    "documentdb account contributor": _role("Microsoft.DocumentDb/databaseAccounts/*"),
    "cognitive services contributor": _role("Microsoft.CognitiveServices/*"),
    "search service contributor": _role("Microsoft.Search/searchServices/*"),
    "azure kubernetes service cluster admin role": _role(
        "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action"
    ),
    "azure kubernetes service contributor role": _role("Microsoft.ContainerService/managedClusters/*"),
}  # fmt: skip
#: Names of built-in roles by their ids, for exports that hold ids alone.
BUILTIN_IDS: Final = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "reader",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "user access administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "role based access control administrator",
    "f25e0fa2-a7c8-4377-a976-54943a77a395": "key vault contributor",
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": "managed identity contributor",
    "f1a07417-d97a-45cb-824c-7a7467783830": "managed identity operator",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "virtual machine contributor",
    "de139f84-1756-47ae-9be6-808fbbe84772": "website contributor",
    "92aaf0da-9dab-42b6-94a3-d43ce8d16293": "log analytics contributor",
}
