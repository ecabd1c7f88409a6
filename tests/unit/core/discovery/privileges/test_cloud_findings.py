# SPDX-License-Identifier: Apache-2.0
"""What is found in Azure, Google Cloud and GitHub beside escalation paths, and how severe paths are."""

from __future__ import annotations

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.json_value import Json
from tests.samples.privileges import azure, gcp, github
from tests.samples.privileges.case import findings_of


def _found(provider: PermissionSource, **documents: Json) -> list[Discovered]:
    exports = [
        PermissionExport(provider=provider, place=FilePlace(file=f"{name}.json"), document=document)
        for name, document in documents.items()
    ]
    return findings_of(provider, exports)


def _kinds(found: list[Discovered]) -> set[tuple[FindingKind, Severity]]:
    return {(finding.kind, finding.weight) for finding in found}


def test_owners_and_contributors_of_a_subscription_are_wide() -> None:
    """Owner of a subscription is wide authority; Contributor is less severe."""
    roles = [azure.assigned("Owner", azure.SUB, "a"), azure.assigned("Contributor", azure.SUB, "b")]
    found = _found(PermissionSource.AZURE, roles=roles)
    assert [(f.about, f.weight) for f in found] == [
        ("principal:azure:a", Severity.HIGH),
        ("principal:azure:b", Severity.MEDIUM),
    ]


def test_a_condition_lowers_a_path_of_azure() -> None:
    """An assignment under a condition may lead to ownership: one level lower, and it says so."""
    plain = azure.assigned("User Access Administrator", azure.SUB)
    [certain] = _found(PermissionSource.AZURE, roles=[plain])
    [open_] = _found(PermissionSource.AZURE, roles=[{**plain, "condition": "x"}])
    assert (certain.weight, open_.weight) == (Severity.CRITICAL, Severity.HIGH)
    assert open_.evidence["unknown"] == ["the condition of its role assignment is met"]


def test_a_management_group_includes_what_its_hierarchy_says() -> None:
    """A vault of a subscription outside the group is not reached."""
    group = "/providers/Microsoft.Management/managementGroups/m"
    role = azure.assigned("Key Vault Contributor", group)
    inside = {"id": group, "children": [{"id": azure.SUB, "children": None}]}
    outside = {"id": group, "children": [{"id": "/subscriptions/other"}]}
    found = [
        _found(PermissionSource.AZURE, roles=[role], vaults=[azure.POLICIES], groups=[tree])
        for tree in (inside, outside)
    ]
    assert [len(one) for one in found] == [1, 0]


def test_the_rest_interface_of_azure_is_read_too() -> None:
    """Documents with `value` and `properties` say the same."""
    flat = azure.assigned("User Access Administrator", azure.SUB)
    nested = {"id": flat["id"], "name": flat["name"], "properties": flat}
    [found] = _found(PermissionSource.AZURE, roles={"value": [nested]})
    assert found.evidence["technique"] == "role-assignment"


def test_deleted_identities_keep_unused_roles() -> None:
    """A role of an identity that no longer exists is unused authority."""
    found = _found(PermissionSource.AZURE, roles=[azure.assigned("Reader", principalType="Unknown")])
    assert [f.kind for f in found] == [FindingKind.UNUSED_AUTHORITY]
    gone = gcp.policy(gcp.given("roles/editor", "deleted:user:x@example.com?uid=1"))
    assert FindingKind.UNUSED_AUTHORITY in {f.kind for f in _found(PermissionSource.GCP, acme=gone)}


def test_an_identity_of_several_resources_is_shared() -> None:
    """A managed identity with roles that two groups use is shared."""
    identity = str(azure.IDENTITY["id"])
    uses: dict[str, Json] = {"identity": {"userAssignedIdentities": {identity: {"principalId": azure.BOSS}}}}
    machines = [azure.resource(azure.VM, "a", **uses), azure.resource(azure.VM, "b", azure.OTHER, **uses)]
    roles = [azure.assigned("Reader", azure.SUB, azure.BOSS)]
    [found] = _found(PermissionSource.AZURE, roles=roles, machines=machines)
    assert (found.kind, found.weight) == (FindingKind.SECRET_SHARED, Severity.MEDIUM)


def test_an_identity_of_development_has_no_roles_in_production() -> None:
    """A machine of a development group that acts in a production group crosses."""
    machine = azure.resource(
        azure.VM, "vm", f"{azure.SUB}/resourceGroups/shop-dev", identity={"principalId": "p"}
    )
    role = azure.assigned("Contributor", f"{azure.SUB}/resourceGroups/shop-prod", "p")
    kinds = _kinds(_found(PermissionSource.AZURE, roles=[role], machines=[machine]))
    assert (FindingKind.ENVIRONMENT_CROSSED, Severity.HIGH) in kinds


def test_owners_editors_and_the_public_are_wide_in_google_cloud() -> None:
    """Basic roles are wide; a role of everyone on the internet is critical."""
    policy = gcp.policy(
        gcp.given("roles/owner", "user:a@example.com"),
        gcp.given("roles/editor", "user:b@example.com"),
        gcp.given("roles/storage.objectViewer", "allUsers"),
    )
    found = [f for f in _found(PermissionSource.GCP, acme=policy) if f.kind is FindingKind.WIDE_AUTHORITY]
    assert [(f.about, f.weight) for f in found] == [
        ("principal:allUsers", Severity.CRITICAL),
        ("principal:user:a@example.com", Severity.HIGH),
        ("principal:user:b@example.com", Severity.MEDIUM),
    ]


def test_googles_agents_are_no_noise() -> None:
    """Agents of Google keep the roles that Google gives them."""
    agent = "serviceAccount:service-123456@compute-system.iam.gserviceaccount.com"
    assert not _found(PermissionSource.GCP, acme=gcp.policy(gcp.given("roles/editor", agent)))


def test_a_default_account_of_several_workloads_is_shared() -> None:
    """Workloads that run as the default service account share its rights."""
    email = "123456-compute@developer.gserviceaccount.com"
    machines = [{"name": name, "serviceAccounts": [{"email": email, "scopes": []}]} for name in ("a", "b")]
    policy = gcp.policy(gcp.given("roles/editor", f"serviceAccount:{email}"))
    kinds = _kinds(_found(PermissionSource.GCP, acme=policy, machines=machines))
    assert (FindingKind.SECRET_SHARED, Severity.HIGH) in kinds


def test_an_account_of_development_has_no_roles_in_production() -> None:
    """A service account of a development project that edits a production project crosses."""
    member = "serviceAccount:ci@shop-dev.iam.gserviceaccount.com"
    policy = [
        {
            "resource": "//cloudresourcemanager.googleapis.com/projects/shop-prod",
            "policy": gcp.policy(gcp.given("roles/editor", member)),
        }
    ]
    kinds = _kinds(_found(PermissionSource.GCP, policies=policy))
    assert (FindingKind.ENVIRONMENT_CROSSED, Severity.HIGH) in kinds


def test_actions_of_others_are_pinned() -> None:
    """An action of others by a tag is unpinned, worse with a secret; by a digest, or of GitHub, it is not."""
    steps = [
        {"uses": "acme/a@v1"},
        {"uses": "acme/b@main", "with": {"token": "${{ secrets.DEPLOY }}"}},
        {"uses": f"acme/c@{github.SHA}", "with": {"token": "${{ secrets.DEPLOY }}"}},
        {"uses": "actions/checkout@v4"},
        {"uses": "./local"},
    ]
    found = _found(PermissionSource.GITHUB, w=github.workflow("push", *steps))
    assert [(f.about, f.which, f.weight) for f in found] == [
        ("action:acme/b", "main", Severity.HIGH),
        ("action:acme/a", "v1", Severity.MEDIUM),
    ]


def test_a_workflow_that_may_write_everything_is_wide() -> None:
    """`write-all` and all secrets at once are wide authority."""
    step = {"run": "deploy", "env": {"ALL": "${{ toJSON(secrets) }}"}}
    found = _found(PermissionSource.GITHUB, w=github.workflow("push", step, permissions="write-all"))
    assert {f.which for f in found} == {"write-all", "secrets build"}


def test_tokens_without_end_and_without_use_are_said() -> None:
    """A token that never expires is long-lived, one that was not used for long is unused."""
    old = {"credential_accessed_at": "2026-01-01T00:00:00Z", "authorized_credential_expires_at": None}
    tokens = [{**github.classic("admin:org")[0], **old}]
    assert _kinds(_found(PermissionSource.GITHUB, tokens=tokens)) == {
        (FindingKind.WIDE_AUTHORITY, Severity.HIGH),
        (FindingKind.LONG_LIVED_CREDENTIAL, Severity.MEDIUM),
        (FindingKind.UNUSED_AUTHORITY, Severity.LOW),
    }


def test_a_setting_counts_for_each_workflow() -> None:
    """The default of tokens is wide where it lets them write."""
    settings = {"default_workflow_permissions": "write"}
    [found] = _found(PermissionSource.GITHUB, settings=settings)
    assert found.which == "default permissions"


def test_a_yaml_reader_may_have_read_on_as_true() -> None:
    """The key `on` of a workflow is true in YAML 1.1."""
    found = _found(
        PermissionSource.GITHUB, w={True: "push", "jobs": github.workflow("push", {"uses": "a/b@v1"})["jobs"]}
    )
    assert [f.kind for f in found] == [FindingKind.UNPINNED_COMMAND]
