# SPDX-License-Identifier: Apache-2.0
"""The table of what each step of escalation needs in Azure, and of what takes it away."""

from __future__ import annotations

from typing import Final

import msgspec


class IdentityTakeover(msgspec.Struct, frozen=True, kw_only=True):
    """Operations on a resource that let their holder act as its identities: all of one alternative."""

    technique: str
    type: str
    any: tuple[str, ...]
    says: str
    data: bool = False

    @property
    def alternatives(self) -> tuple[tuple[str, ...], ...]:
        """The alternatives, each of operations in lower case."""
        return tuple(tuple(one.lower().split()) for one in self.any)


_VM: Final = "Microsoft.Compute/virtualMachines"
_SETS: Final = "Microsoft.Compute/virtualMachineScaleSets"
_WEB: Final = "Microsoft.Web/sites"
_AUTOMATION: Final = "Microsoft.Automation/automationAccounts"
TAKEOVERS: Final = (
    IdentityTakeover(
        technique="vm-command",
        type=_VM.lower(),
        any=(f"{_VM}/runCommand/action", f"{_VM}/runCommands/write", f"{_VM}/extensions/write"),
        says="run commands on virtual machine",
    ),
    IdentityTakeover(
        technique="vm-login",
        type=_VM.lower(),
        any=(f"{_VM}/login/action", f"{_VM}/loginAsAdmin/action"),
        says="log in to virtual machine",
        data=True,
    ),
    IdentityTakeover(
        technique="scale-set-command",
        type=_SETS.lower(),
        any=(f"{_SETS}/virtualMachines/runCommand/action", f"{_SETS}/extensions/write"),
        says="run commands on scale set",
    ),
    IdentityTakeover(
        technique="web-app-code",
        type=_WEB.lower(),
        any=(
            f"{_WEB}/write",
            f"{_WEB}/config/write",
            f"{_WEB}/config/list/action",
            f"{_WEB}/publish/action",
            f"{_WEB}/publishxml/action",
            f"{_WEB}/extensions/write",
        ),
        says="deploy code to app",
    ),
    IdentityTakeover(
        technique="runbook",
        type=_AUTOMATION.lower(),
        any=(f"{_AUTOMATION}/runbooks/write {_AUTOMATION}/jobs/write",),
        says="write and start a runbook of automation account",
    ),
    IdentityTakeover(
        technique="logic-app",
        type="microsoft.logic/workflows",
        any=("Microsoft.Logic/workflows/write",),
        says="change logic app",
    ),
    IdentityTakeover(
        technique="container-app",
        type="microsoft.app/containerapps",
        any=("Microsoft.App/containerApps/write",),
        says="change container app",
    ),
    IdentityTakeover(
        technique="container-group",
        type="microsoft.containerinstance/containergroups",
        any=(
            "Microsoft.ContainerInstance/containerGroups/write",
            "Microsoft.ContainerInstance/containerGroups/containers/exec/action",
        ),
        says="run commands in container group",
    ),
    IdentityTakeover(
        technique="federated-credential",
        type="microsoft.managedidentity/userassignedidentities",
        any=("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",),
        says="let an issuer of its choice sign in as managed identity",
    ),
)

#: The operation's name has a star itself; custom roles are written without it, too.
ASSIGN: Final = (
    "microsoft.managedidentity/userassignedidentities/*/assign/action",
    "microsoft.managedidentity/userassignedidentities/assign/action",
)
#: Operations that together run code as an identity that one may assign: all of one alternative.
HOSTS: Final = tuple(
    tuple(one.lower().split())
    for one in (
        f"{_VM}/write {_VM}/runCommand/action",
        f"{_VM}/write {_VM}/extensions/write",
        f"{_WEB}/write",
        f"{_AUTOMATION}/write {_AUTOMATION}/runbooks/write {_AUTOMATION}/jobs/write",
        "Microsoft.Logic/workflows/write",
        "Microsoft.App/containerApps/write",
        "Microsoft.ContainerInstance/containerGroups/write",
        "Microsoft.Resources/deploymentScripts/write",
    )
)


class KeyOpening(msgspec.Struct, frozen=True, kw_only=True):
    """An operation that opens the data of a resource by a way beside roles.

    `node` is the kind of what is reached, `reading` the data operation by which a holder has it already.
    """

    technique: str
    type: str
    operations: tuple[str, ...]
    says: str
    node: str
    reading: str = ""
    unknown: str = ""


OPENINGS: Final = (
    KeyOpening(
        technique="vault-access-policy",
        type="microsoft.keyvault/vaults",
        operations=("microsoft.keyvault/vaults/write", "microsoft.keyvault/vaults/accesspolicies/write"),
        says="give itself an access policy for the secrets of vault",
        node="vault",
        reading="microsoft.keyvault/vaults/secrets/getsecret/action",
        unknown="the vault uses access policies",
    ),
    KeyOpening(
        technique="storage-keys",
        type="microsoft.storage/storageaccounts",
        operations=("microsoft.storage/storageaccounts/listkeys/action",),
        says="read the keys of storage account",
        node="keys",
        reading="microsoft.storage/storageaccounts/blobservices/containers/blobs/write",
        unknown="the account accepts keys",
    ),
    KeyOpening(
        technique="database-keys",
        type="microsoft.documentdb/databaseaccounts",
        operations=("microsoft.documentdb/databaseaccounts/listkeys/action",),
        says="read the keys of database account",
        node="keys",
        unknown="the account accepts keys",
    ),
    KeyOpening(
        technique="ai-keys",
        type="microsoft.cognitiveservices/accounts",
        operations=("microsoft.cognitiveservices/accounts/listkeys/action",),
        says="read the keys of AI account",
        node="keys",
        unknown="the account accepts keys",
    ),
    KeyOpening(
        technique="search-keys",
        type="microsoft.search/searchservices",
        operations=("microsoft.search/searchservices/listadminkeys/action",),
        says="read the administrator keys of search service",
        node="keys",
        unknown="the service accepts keys",
    ),
    KeyOpening(
        technique="cluster-credential",
        type="microsoft.containerservice/managedclusters",
        operations=(
            "microsoft.containerservice/managedclusters/listclusteradmincredential/action",
            "microsoft.containerservice/managedclusters/runcommand/action",
        ),
        says="get the administrator's credential of cluster",
        node="cluster",
        unknown="the cluster has local accounts",
    ),
)

#: What takes each step away, by technique.
REMEDIATIONS: Final = {
    "role-assignment": "remove the role, or constrain it with a condition that names the roles it may assign",
    "role-definition": "remove `Microsoft.Authorization/roleDefinitions/write`",
    "vm-command": "remove `runCommand` and `extensions/write`, or weaken its identity",
    "vm-login": "remove the login role, or weaken the machine's identity",
    "scale-set-command": "remove `runCommand` and `extensions/write`, or weaken its identity",
    "web-app-code": "remove writing to the app, or give the app a weaker identity",
    "runbook": "remove writing runbooks, or weaken the account's identity",
    "logic-app": "remove writing to the logic app, or give it a weaker identity",
    "container-app": "remove writing to the container app, or give it a weaker identity",
    "container-group": "remove writing to the group, or give it a weaker identity",
    "federated-credential": "remove `federatedIdentityCredentials/write`",
    "assign-identity": "assign Managed Identity Operator at single identities, not at their group",
    "vault-access-policy": "set `enableRbacAuthorization` on the vault, which ends access policies",
    "storage-keys": "set `allowSharedKeyAccess: false` on the account",
    "database-keys": "set `disableLocalAuth: true` on the account",
    "ai-keys": "set `disableLocalAuth: true` on the account",
    "search-keys": "set `disableLocalAuth: true` on the service",
    "cluster-credential": "set `disableLocalAccounts: true` on the cluster",
}
