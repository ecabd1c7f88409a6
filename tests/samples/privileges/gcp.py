# SPDX-License-Identifier: Apache-2.0
"""Policies of Google Cloud with and without escalation paths.

The facts are those of Google's documentation of service accounts and of published studies of escalation.
"""

from __future__ import annotations

from typing import Final

from remit.core.discovery.declared import PermissionSource
from remit.core.json_value import Json
from tests.samples.privileges.case import Case

BOT: Final = "user:bot@example.com"
BOSS_EMAIL: Final = "boss@acme.iam.gserviceaccount.com"
BOSS: Final = f"serviceAccount:{BOSS_EMAIL}"
AGENT: Final = "serviceAccount:123456@cloudservices.gserviceaccount.com"
BUILDER: Final = "serviceAccount:123456@cloudbuild.gserviceaccount.com"
TOKENS: Final = "roles/iam.serviceAccountTokenCreator"
USER: Final = "roles/iam.serviceAccountUser"
PROJECT: Final = [
    {"projectId": "acme", "projectNumber": "123456", "parent": {"type": "folder", "id": "7700"}}
]
ACCOUNTS: Final = [
    {"email": BOSS_EMAIL, "projectId": "acme", "name": f"projects/acme/serviceAccounts/{BOSS_EMAIL}"}
]
POOL: Final = "principalSet://iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/p/*"
KEY_ADMIN: Final = "roles/iam.serviceAccountKeyAdmin"


def given(role: str, member: str = BOT, expression: str = "") -> dict[str, Json]:
    """Return a binding of an allow policy."""
    condition = {"condition": {"title": "when", "expression": expression}} if expression else {}
    return {"role": role, "members": [member], **condition}


def policy(*bindings: Json) -> dict[str, Json]:
    """Return a policy as `gcloud projects get-iam-policy` prints it."""
    return {"bindings": [*bindings], "etag": "x", "version": 3}


def custom(name: str, *permissions: str) -> list[dict[str, Json]]:
    """Return a custom role as `gcloud iam roles describe` prints it."""
    return [{"name": f"projects/acme/roles/{name}", "includedPermissions": [*permissions]}]


def denied(
    permission: str, principal: str = "principal://goog/subject/bot@example.com", **rule: Json
) -> list[Json]:
    """Return a deny policy of the project."""
    attached = "policies/cloudresourcemanager.googleapis.com%2Fprojects%2Facme/denypolicies/d"
    inside = {"deniedPrincipals": [principal], "deniedPermissions": [permission], **rule}
    return [{"name": attached, "rules": [{"denyRule": inside}]}]


OWNER: Final = given("roles/owner", BOSS)


def _case(
    name: str, paths: str, *bindings: Json, more: dict[str, Json] | None = None, owner: bool = True
) -> Case:
    return Case(
        name=name,
        provider=PermissionSource.GCP,
        documents={
            "acme.json": policy(*([OWNER] if owner else []), *bindings),
            "projects.json": PROJECT,
            "accounts.json": ACCOUNTS,
            **(more or {}),
        },
        paths=frozenset(p.replace("/", " ") if "/" in p else f"bot@example.com {p}" for p in paths.split()),
        source="Google Cloud documentation",
    )


def _custom(name: str, paths: str, *permissions: str) -> Case:
    role = given("projects/acme/roles/own")
    return _case(name, paths, role, more={"roles.json": custom("own", *permissions)})


_ON_BOSS: Final = f"{BOSS_EMAIL}.json"
_ANCESTORS: Final = [
    {"id": "acme", "type": "project", "policy": policy()},
    {"id": "7700", "type": "folder", "policy": policy()},
    {"id": "9", "type": "organization", "policy": policy(given("roles/resourcemanager.organizationAdmin"))},
]
_ASSET: Final = [
    {
        "name": "//cloudresourcemanager.googleapis.com/projects/acme",
        "iam_policy": policy(given("roles/resourcemanager.projectIamAdmin")),
        "ancestors": ["projects/123456", "folders/7700", "organizations/9"],
    }
]
_KEYLESS: Final = [
    {
        "name": "projects/acme/policies/iam.disableServiceAccountKeyCreation",
        "spec": {"rules": [{"enforce": True}]},
    }
]

PATHS: Final = [
    _case("Token Creator of the project", "access-token", given(TOKENS)),
    _case("Token Creator of one account", "access-token", more={_ON_BOSS: policy(given(TOKENS))}),
    _custom("an access token", "access-token", "iam.serviceAccounts.getAccessToken"),
    _custom("sign a JWT", "sign-jwt", "iam.serviceAccounts.signJwt"),
    _custom("sign a blob", "sign-blob", "iam.serviceAccounts.signBlob"),
    _case("Key Admin", "create-key", given(KEY_ADMIN)),
    _custom("a key", "create-key", "iam.serviceAccountKeys.create"),
    _case("Service Account Admin", "account-policy", given("roles/iam.serviceAccountAdmin")),
    _case(
        "delegation through another account",
        "implicit-delegation mid@acme.iam.gserviceaccount.com/access-token",
        given("projects/acme/roles/own"),
        more={
            "roles.json": custom("own", "iam.serviceAccounts.implicitDelegation"),
            "b.json": [{"email": "mid@acme.iam.gserviceaccount.com", "projectId": "acme"}],
            _ON_BOSS: policy(
                given("roles/iam.workloadIdentityUser", "serviceAccount:mid@acme.iam.gserviceaccount.com")
            ),
        },
    ),
    *(
        _custom(f"act as, and {host}", "act-as", "iam.serviceAccounts.actAs", *host.split())
        for host in (
            "compute.instances.create",
            "cloudfunctions.functions.create",
            "cloudfunctions.functions.update",
            "run.services.create",
            "run.services.update",
            "run.jobs.create run.jobs.run",
            "cloudscheduler.jobs.create",
            "dataflow.jobs.create",
            "dataproc.clusters.create",
            "composer.environments.create",
            "notebooks.instances.create",
            "aiplatform.customJobs.create",
            "compute.instances.setMetadata",
            "cloudbuild.builds.create",
        )
    ),
    _case(
        "Service Account User and Cloud Run Developer", "act-as", given(USER), given("roles/run.developer")
    ),
    _case(
        "Service Account User of one account",
        "act-as",
        given("roles/compute.admin"),
        more={_ON_BOSS: policy(given(USER))},
    ),
    _case("Editor beside an owner", "act-as create-key", given("roles/editor")),
    _case("Project IAM Admin", "set-policy", given("roles/resourcemanager.projectIamAdmin")),
    _case("Security Admin", "set-policy account-policy", given("roles/iam.securityAdmin")),
    _case("Organization Admin, by a project's ancestors", "set-policy", more={"ancestors.json": _ANCESTORS}),
    _case("Project IAM Admin, by the asset inventory", "set-policy", more={"assets.json": _ASSET}),
    _case(
        "Folder IAM Admin",
        "set-policy",
        more={"folder-7700.json": policy(given("roles/resourcemanager.folderIamAdmin"))},
    ),
    _custom("update its own role", "role-update", "iam.roles.update"),
    _case(
        "Deployment Manager with an agent that edits",
        "deployment-manager",
        given("roles/editor", AGENT),
        given("roles/deploymentmanager.editor"),
    ),
    _case(
        "a build as an account with rights",
        "cloud-build",
        given("roles/owner", BUILDER),
        given("roles/cloudbuild.builds.editor"),
    ),
    _case(
        "providers of a pool that owns",
        "identity-provider",
        given("roles/owner", POOL),
        given("roles/iam.workloadIdentityPoolAdmin"),
    ),
    _case(
        "a condition that is not evaluated",
        "access-token",
        given(TOKENS, expression="resource.name.startsWith('x')"),
    ),
    _case(
        "a condition that lasts",
        "access-token",
        given(TOKENS, expression='request.time < timestamp("2030-01-01T00:00:00Z")'),
    ),
    _case(
        "a denial of a group that it may belong to",
        "create-key",
        given(KEY_ADMIN),
        more={
            "deny.json": denied(
                "iam.googleapis.com/serviceAccountKeys.create", "principalSet://goog/group/g@example.com"
            )
        },
    ),
    _case(
        "a denial under a condition",
        "create-key",
        given(KEY_ADMIN),
        more={
            "deny.json": denied(
                "iam.googleapis.com/serviceAccountKeys.create", denialCondition={"expression": "x"}
            )
        },
    ),
    Case(
        name="a policy alone, in a file that says nothing",
        provider=PermissionSource.GCP,
        documents={"iam/policy.json": policy(OWNER, given(TOKENS))},
        paths=frozenset({"bot@example.com access-token"}),
        source="Google Cloud documentation",
    ),
]

NEAR_MISSES: Final = [
    _case("viewer", "", given("roles/viewer")),
    _case("Service Account User alone", "", given(USER)),
    _case("a host without acting", "", given("roles/run.developer"), given("roles/compute.admin")),
    _case("a token without a stronger account", "", given(TOKENS), owner=False),
    _case(
        "a token of another account",
        "",
        more={
            "x@acme.iam.gserviceaccount.com.json": policy(given(TOKENS)),
            "b.json": [{"email": "x@acme.iam.gserviceaccount.com", "projectId": "acme"}],
        },
    ),
    _custom("an identity token opens no API", "", "iam.serviceAccounts.getOpenIdToken"),
    _custom(
        "read service accounts",
        "",
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.list",
        "iam.serviceAccountKeys.list",
    ),
    _custom("create roles", "", "iam.roles.create"),
    _custom("jobs without running them", "", "iam.serviceAccounts.actAs", "run.jobs.create"),
    _case("update roles without one", "", given("roles/iam.roleAdmin")),
    _case(
        "acting in one project, hosting in another",
        "",
        given(USER),
        more={"project-999999.json": policy(given("roles/run.admin"))},
    ),
    _case("Deployment Manager with an agent without rights", "", given("roles/deploymentmanager.editor")),
    _case(
        "a token of Google's agent by a role on the project",
        "",
        given("roles/owner", AGENT),
        given(TOKENS),
        owner=False,
    ),
    _case(
        "a binding that ended",
        "",
        given(TOKENS, expression='request.time < timestamp("2024-01-01T00:00:00Z")'),
    ),
    _case(
        "keys are denied",
        "",
        given(KEY_ADMIN),
        more={"deny.json": denied("iam.googleapis.com/serviceAccountKeys.create")},
    ),
    _case(
        "keys are denied to all",
        "",
        given(KEY_ADMIN),
        more={
            "deny.json": denied(
                "iam.googleapis.com/serviceAccountKeys.create", "principalSet://goog/public:all"
            )
        },
    ),
    _case(
        "the policy is denied",
        "",
        given("roles/resourcemanager.projectIamAdmin"),
        more={"deny.json": denied("cloudresourcemanager.googleapis.com/projects.setIamPolicy")},
    ),
    _case("no keys by organization policy", "", given(KEY_ADMIN), more={"constraint.json": _KEYLESS}),
    _case("an owner is no path", "", given("roles/owner")),
    _case(
        "a token of a writer of logs", "", given(TOKENS), given("roles/logging.logWriter", BOSS), owner=False
    ),
    _case(
        "a token of a disabled account",
        "",
        given(TOKENS),
        more={"accounts.json": [{**ACCOUNTS[0], "disabled": True}]},
    ),
]
