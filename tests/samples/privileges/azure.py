# SPDX-License-Identifier: Apache-2.0
"""Tenants with and without escalation paths.

The facts are those of Microsoft's documentation of each service.
"""

from __future__ import annotations

from typing import Final

from remit.core.discovery.declared import PermissionSource
from remit.core.json_value import Json
from tests.samples.privileges.case import Case

SUB: Final = "/subscriptions/00000000-0000-0000-0000-00000000000a"
GROUP: Final = f"{SUB}/resourceGroups/web"
OTHER: Final = f"{SUB}/resourceGroups/data"
BOT: Final = "bot"
BOSS: Final = "boss"


def assigned(role: str, scope: str = GROUP, principal: str = BOT, **fields: Json) -> dict[str, Json]:
    """Return a role assignment as `az role assignment list` prints it."""
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{principal}-{role}",
        "name": f"{principal}-{role}",
        "principalId": principal,
        "principalName": f"{principal}-name",
        "principalType": "ServicePrincipal",
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "roleDefinitionName": role,
        "scope": scope,
        "condition": None,
        **fields,
    }


def role(
    name: str, *actions: str, without: tuple[str, ...] = (), data: tuple[str, ...] = ()
) -> dict[str, Json]:
    """Return a custom role as `az role definition list` prints it."""
    return {
        "id": f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{name}",
        "name": name,
        "roleName": name,
        "roleType": "CustomRole",
        "assignableScopes": [SUB],
        "permissions": [
            {"actions": [*actions], "notActions": [*without], "dataActions": [*data], "notDataActions": []}
        ],
    }


def resource(type_: str, name: str, group: str = GROUP, **fields: Json) -> dict[str, Json]:
    """Return a resource."""
    return {"id": f"{group}/providers/{type_}/{name}", "name": name, "type": type_, **fields}


def vault(**properties: Json) -> dict[str, Json]:
    """Return a key vault."""
    return resource("Microsoft.KeyVault/vaults", "v", properties={"accessPolicies": [], **properties})


def acting(type_: str, name: str = "r", principal: str = BOSS) -> dict[str, Json]:
    """Return a resource whose code acts as a principal."""
    return resource(type_, name, identity={"type": "SystemAssigned", "principalId": principal})


def denied(*actions: str, scope: str = SUB, principal: str = BOT, **fields: Json) -> dict[str, Json]:
    """Return a deny assignment."""
    return {
        "denyAssignmentName": "d",
        "scope": scope,
        "permissions": [{"actions": [*actions], "notActions": [], "dataActions": [], "notDataActions": []}],
        "principals": [{"id": principal, "type": "ServicePrincipal"}],
        "excludePrincipals": [],
        "doNotApplyToChildScopes": False,
        **fields,
    }


OWNER: Final = assigned("Owner", SUB, BOSS)
VM: Final = "Microsoft.Compute/virtualMachines"
IDENTITY: Final = resource(
    "Microsoft.ManagedIdentity/userAssignedIdentities", "id", properties={"principalId": BOSS}
)
POLICIES: Final = vault(enableRbacAuthorization=False)
RUN: Final = f"{VM}/runCommand/action"
ACCOUNT: Final = "Microsoft.Storage/storageAccounts"
LIST_KEYS: Final = f"{ACCOUNT}/listKeys/action"
DEFINE: Final = "Microsoft.Authorization/roleDefinitions/write"
ASSIGN: Final = "Microsoft.Authorization/roleAssignments/write"


def _case(name: str, paths: str, *documents: Json) -> Case:
    return Case(
        name=name,
        provider=PermissionSource.AZURE,
        documents={f"azure/{n}.json": [document] for n, document in enumerate(documents)},
        paths=frozenset(f"{BOT} {technique}" for technique in paths.split()),
        source="Microsoft Learn",
    )


PATHS: Final = [
    _case("User Access Administrator", "role-assignment", assigned("User Access Administrator", SUB)),
    _case("User Access Administrator of a group", "role-assignment", assigned("User Access Administrator")),
    _case(
        "RBAC Administrator under a condition",
        "role-assignment",
        assigned("Role Based Access Control Administrator", SUB, condition="x"),
    ),
    _case(
        "a pattern of writing authorization",
        "role-assignment role-definition",
        role("r", "Microsoft.Authorization/*/write"),
        assigned("r", SUB),
    ),
    _case(
        "at a management group",
        "role-assignment",
        assigned("User Access Administrator", "/providers/Microsoft.Management/managementGroups/m"),
    ),
    _case("rewrite its custom role", "role-definition", role("r", DEFINE), assigned("r", SUB)),
    _case(
        "Key Vault Contributor of a vault with access policies",
        "vault-access-policy",
        POLICIES,
        assigned("Key Vault Contributor"),
    ),
    _case(
        "Contributor of a vault with access policies",
        "vault-access-policy",
        POLICIES,
        assigned("Contributor"),
    ),
    _case(
        "a vault without a stated model uses access policies",
        "vault-access-policy",
        vault(enableRbacAuthorization=None),
        assigned("Key Vault Contributor"),
    ),
    _case("a vault that was not exported", "vault-access-policy", assigned("Key Vault Contributor")),
    _case(
        "access policies by their own operation",
        "vault-access-policy",
        POLICIES,
        role("r", "Microsoft.KeyVault/vaults/accessPolicies/write"),
        assigned("r"),
    ),
    _case("run a command on a machine", "vm-command", OWNER, acting(VM), role("r", RUN), assigned("r")),
    _case(
        "an extension by Log Analytics Contributor",
        "vm-command",
        OWNER,
        acting(VM),
        assigned("Log Analytics Contributor"),
    ),
    _case(
        "Virtual Machine Contributor",
        "vm-command",
        OWNER,
        acting(VM),
        assigned("Virtual Machine Contributor"),
    ),
    _case(
        "log in to a machine", "vm-login", OWNER, acting(VM), assigned("Virtual Machine Administrator Login")
    ),
    _case(
        "a scale set",
        "scale-set-command",
        OWNER,
        acting("Microsoft.Compute/virtualMachineScaleSets"),
        assigned("Virtual Machine Contributor"),
    ),
    _case(
        "deploy to an app",
        "web-app-code",
        OWNER,
        acting("Microsoft.Web/sites"),
        assigned("Website Contributor"),
    ),
    _case(
        "write a runbook",
        "runbook",
        OWNER,
        acting("Microsoft.Automation/automationAccounts"),
        assigned("Automation Contributor"),
    ),
    _case(
        "change a logic app",
        "logic-app",
        OWNER,
        acting("Microsoft.Logic/workflows"),
        assigned("Logic App Contributor"),
    ),
    _case(
        "change a container app",
        "container-app",
        OWNER,
        acting("Microsoft.App/containerApps"),
        role("r", "Microsoft.App/*"),
        assigned("r"),
    ),
    _case(
        "a container group",
        "container-group",
        OWNER,
        acting("Microsoft.ContainerInstance/containerGroups"),
        role("r", "Microsoft.ContainerInstance/containerGroups/containers/exec/action"),
        assigned("r"),
    ),
    _case(
        "federated credentials",
        "federated-credential",
        OWNER,
        IDENTITY,
        assigned("Managed Identity Contributor"),
    ),
    _case(
        "assign an identity to its own app",
        "assign-identity",
        OWNER,
        IDENTITY,
        assigned("Managed Identity Operator"),
        assigned("Website Contributor", OTHER),
    ),
    _case(
        "keys of an account",
        "storage-keys",
        resource(ACCOUNT, "s", allowSharedKeyAccess=None),
        assigned("Storage Account Contributor"),
    ),
    _case(
        "keys of an AI account",
        "ai-keys",
        resource("Microsoft.CognitiveServices/accounts", "a", properties={"disableLocalAuth": False}),
        assigned("Cognitive Services Contributor"),
    ),
    _case(
        "keys of a database account",
        "database-keys",
        resource("Microsoft.DocumentDB/databaseAccounts", "c"),
        assigned("DocumentDB Account Contributor"),
    ),
    _case(
        "administrator keys of a search service",
        "search-keys",
        resource("Microsoft.Search/searchServices", "s"),
        assigned("Search Service Contributor"),
    ),
    _case(
        "a cluster's credential",
        "cluster-credential",
        resource("Microsoft.ContainerService/managedClusters", "k"),
        assigned("Azure Kubernetes Service Cluster Admin Role"),
    ),
    _case(
        "a denial of one machine leaves the other",
        "vm-command",
        OWNER,
        acting(VM, "one"),
        acting(VM, "two"),
        role("r", RUN),
        assigned("r"),
        denied(RUN, scope=f"{GROUP}/providers/{VM}/one"),
    ),
    _case(
        "a denial that excepts it",
        "role-assignment",
        assigned("User Access Administrator", SUB),
        denied("*", principal="00000000-0000-0000-0000-000000000000", excludePrincipals=[{"id": BOT}]),
    ),
    _case(
        "an app that acts as a contributor of the subscription",
        "web-app-code",
        assigned("Contributor", SUB, BOSS),
        acting("Microsoft.Web/sites"),
        assigned("Website Contributor"),
    ),
    _case(
        "a denial of a group that it may belong to",
        "role-assignment",
        assigned("User Access Administrator", SUB),
        denied("*", principals=[{"id": "g", "type": "Group"}]),
    ),
    _case(
        "a denial that excepts a group",
        "role-assignment",
        assigned("User Access Administrator", SUB),
        denied("*", excludePrincipals=[{"id": "g", "type": "Group"}]),
    ),
    _case(
        "keys by Cognitive Services User",
        "ai-keys",
        resource("Microsoft.CognitiveServices/accounts", "a"),
        assigned("Cognitive Services User"),
    ),
]

NEAR_MISSES: Final = [
    _case("Contributor assigns no roles", "", assigned("Contributor", SUB)),
    _case(
        "a role that excepts assignments",
        "",
        role("r", "Microsoft.Authorization/*", without=("microsoft.authorization/*/WRITE",)),
        assigned("r", SUB),
    ),
    _case("Owner is no path", "", assigned("Owner", SUB)),
    _case("roles may be read", "", role("r", "Microsoft.Authorization/*/read"), assigned("r", SUB)),
    _case(
        "define roles without having one",
        "",
        role("other", "*/read"),
        role("r", DEFINE, without=(DEFINE,)),
        assigned("r", SUB),
    ),
    _case("define roles only in a group", "", role("r", DEFINE), assigned("r")),
    _case(
        "a vault that uses roles", "", vault(enableRbacAuthorization=True), assigned("Key Vault Contributor")
    ),
    _case("a vault in another group", "", POLICIES, assigned("Key Vault Contributor", OTHER)),
    _case("a group whose name begins alike", "", POLICIES, assigned("Key Vault Contributor", GROUP[:-1])),
    _case(
        "a vault whose secrets it has already",
        "",
        vault(
            enableRbacAuthorization=False,
            accessPolicies=[{"objectId": BOT, "permissions": {"secrets": ["Get"]}}],
        ),
        assigned("Key Vault Contributor"),
    ),
    _case("read a vault", "", POLICIES, assigned("Reader", SUB)),
    _case(
        "a machine without an identity",
        "",
        OWNER,
        resource(VM, "vm"),
        assigned("Virtual Machine Contributor"),
    ),
    _case("a machine whose identity has no roles", "", acting(VM), assigned("Virtual Machine Contributor")),
    _case(
        "a machine whose identity reads",
        "",
        assigned("Reader", SUB, BOSS),
        acting(VM),
        assigned("Virtual Machine Contributor"),
    ),
    _case(
        "start a machine", "", OWNER, acting(VM), role("r", f"{VM}/start/action", f"{VM}/read"), assigned("r")
    ),
    _case(
        "commands are excepted",
        "",
        OWNER,
        acting(VM),
        role("r", f"{VM}/*", without=(f"{VM}/runCommand*", f"{VM}/extensions/*")),
        assigned("r"),
    ),
    _case(
        "a data operation is no control operation",
        "",
        OWNER,
        acting(VM),
        role("r", data=(RUN,)),
        assigned("r"),
    ),
    _case("commands are denied", "", OWNER, acting(VM), role("r", RUN), assigned("r"), denied(f"{VM}/*")),
    _case(
        "commands are denied to all",
        "",
        OWNER,
        acting(VM),
        role("r", RUN),
        assigned("r"),
        denied("*", principal="00000000-0000-0000-0000-000000000000"),
    ),
    _case(
        "start a runbook without writing it",
        "",
        OWNER,
        acting("Microsoft.Automation/automationAccounts"),
        assigned("Automation Operator"),
    ),
    _case("assign an identity without a host", "", OWNER, IDENTITY, assigned("Managed Identity Operator")),
    _case("a host without assigning", "", OWNER, IDENTITY, assigned("Website Contributor")),
    _case(
        "an account without keys",
        "",
        resource(ACCOUNT, "s", allowSharedKeyAccess=False),
        assigned("Storage Account Contributor"),
    ),
    _case(
        "an account whose data it has already",
        "",
        resource(ACCOUNT, "s"),
        assigned("Storage Account Contributor"),
        assigned("Storage Blob Data Owner"),
    ),
    _case(
        "an AI account without keys",
        "",
        resource("Microsoft.CognitiveServices/accounts", "a", properties={"disableLocalAuth": True}),
        assigned("Cognitive Services Contributor"),
    ),
    _case(
        "User Access Administrator is denied", "", assigned("User Access Administrator", SUB), denied(ASSIGN)
    ),
    _case("an unknown role", "", assigned("Something New", SUB)),
    _case(
        "an app that acts as what it is itself",
        "",
        assigned("Website Contributor", GROUP, BOSS),
        acting("Microsoft.Web/sites"),
        assigned("Website Contributor"),
    ),
    _case("a vault that it owns", "", POLICIES, assigned("Owner")),
    _case(
        "a denial that children inherit",
        "",
        POLICIES,
        assigned("Key Vault Contributor"),
        denied("Microsoft.KeyVault/*", scope=GROUP),
    ),
]
