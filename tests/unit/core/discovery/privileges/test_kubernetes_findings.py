# SPDX-License-Identifier: Apache-2.0
"""What is found in clusters beside escalation paths, and how severe paths are."""

from __future__ import annotations

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.json_value import Json
from tests.samples.privileges.case import findings_of
from tests.samples.privileges.kubernetes import (
    BOSS,
    BOSS_POD,
    account,
    bound,
    local,
    pod,
    rule,
    thing,
    wide,
)


def _found(*items: Json, files: dict[str, list[Json]] | None = None) -> list[Discovered]:
    flat = [item for part in items for item in (part if isinstance(part, list) else [part])]
    exports = [
        PermissionExport(
            provider=PermissionSource.KUBERNETES,
            place=FilePlace(file=file),
            document={"kind": "List", "items": listed},
        )
        for file, listed in (files or {"c/all.json": flat}).items()
    ]
    return findings_of(PermissionSource.KUBERNETES, exports)


def _of(kind: FindingKind, found: list[Discovered]) -> list[Discovered]:
    return [finding for finding in found if finding.kind is kind]


def _admin(subject: Json) -> Json:
    role = {"kind": "ClusterRole", "name": "cluster-admin"}
    return thing("ClusterRoleBinding", "admin", subjects=[subject], roleRef=role)


def test_an_administrator_is_wide_authority_and_no_path() -> None:
    """A binding to cluster-admin is wide authority, with the binding that gives it."""
    found = _found(BOSS)
    assert [(f.kind, f.about) for f in found] == [
        (FindingKind.WIDE_AUTHORITY, "principal:system:serviceaccount:dev:boss")
    ]
    assert "ClusterRoleBinding `boss` gives ClusterRole `cluster-admin`" in found[0].says


def test_everyone_as_administrator_is_critical() -> None:
    """A binding of anonymous callers to cluster-admin is the most severe of all."""
    [found] = _found(_admin({"kind": "Group", "name": "system:unauthenticated"}))
    assert found.weight is Severity.CRITICAL


def test_the_masters_of_a_cluster_are_no_finding() -> None:
    """The group and users of the platform itself are no noise."""
    assert not _found(_admin({"kind": "Group", "name": "system:masters"}))


def test_a_label_does_not_hide_a_binding_of_others() -> None:
    """A binding that pretends to be a part of the platform is found all the same."""
    binding = _admin(account("x"))
    binding["metadata"]["labels"] = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    assert _of(FindingKind.WIDE_AUTHORITY, _found(binding))


def test_everything_in_a_namespace_is_wide_authority() -> None:
    """A Role with every verb on everything is wide, and less severe than an administrator."""
    [found] = _of(FindingKind.WIDE_AUTHORITY, _found(local(rule("*", "*", "*"))))
    assert found.weight is Severity.MEDIUM
    assert found.which == "namespace dev"


def test_a_right_that_lifts_limits_is_said_though_no_path_uses_it() -> None:
    """`escalate` without a role to write is wide authority."""
    [found] = _found(wide(rule("escalate", "clusterroles", "rbac.authorization.k8s.io")))
    assert found.kind is FindingKind.WIDE_AUTHORITY
    assert found.which == "escalate clusterroles"


def test_a_default_account_with_rights_is_shared() -> None:
    """Workloads that share the default service account share its rights."""
    rights = bound("d", account("default"), rule("create", "configmaps"), namespace="dev")
    [found] = _of(FindingKind.SECRET_SHARED, _found(rights, pod("a", "default"), pod("b", "default")))
    assert found.evidence["workloads"] == ["Pod a", "Pod b"]
    assert not _of(FindingKind.SECRET_SHARED, _found(pod("a", "default"), pod("b", "default")))


def test_pods_of_one_deployment_share_nothing() -> None:
    """A pod that another workload owns is not counted beside it."""
    owned = pod("a-1", "boss")
    owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "a"}]
    assert not _of(FindingKind.SECRET_SHARED, _found(BOSS_POD, owned))


def test_rights_that_no_workload_uses_are_unused_where_workloads_are_known() -> None:
    """A service account that no pod of its namespace uses has unused rights; without pods no one knows."""
    idle = bound("i", account("idle"), rule("get", "pods"), namespace="dev")
    [found] = _of(FindingKind.UNUSED_AUTHORITY, _found(idle, pod("a", "other")))
    assert found.about.endswith(":dev:idle")
    assert not _of(FindingKind.UNUSED_AUTHORITY, _found(idle))


def test_development_with_rights_in_production_crosses() -> None:
    """A service account of a development namespace may not write in a production namespace."""
    crossing = bound(
        "x", account("ci", "shop-dev"), rule("patch", "deployments", "apps"), namespace="shop-prod"
    )
    [found] = _of(FindingKind.ENVIRONMENT_CROSSED, _found(crossing))
    assert "shop-prod" in found.says
    reading = bound("x", account("ci", "shop-dev"), rule("get", "pods"), namespace="shop-prod")
    assert not _of(FindingKind.ENVIRONMENT_CROSSED, _found(reading))
    nonprod = bound("x", account("ci", "dev"), rule("patch", "pods"), namespace="non-prod")
    assert not _of(FindingKind.ENVIRONMENT_CROSSED, _found(nonprod))


def test_labels_say_what_a_namespace_is_for() -> None:
    """A namespace's label says its environment where its name does not."""
    live, lab = thing("Namespace", "shop"), thing("Namespace", "lab")
    live["metadata"]["labels"], lab["metadata"]["labels"] = {"env": "production"}, {"env": "dev"}
    crossing = bound("x", account("ci", "lab"), rule("patch", "pods"), namespace="shop")
    assert _of(FindingKind.ENVIRONMENT_CROSSED, _found(live, lab, crossing))


def test_what_the_export_does_not_tell_lowers_a_path() -> None:
    """Where the export has no pods, exec may lead to the boss: one level lower, and it says so."""
    rights = local(rule("create", "pods/exec"))
    [certain] = _of(FindingKind.ESCALATION_PATH, _found(BOSS_POD, rights))
    [open_] = _of(FindingKind.ESCALATION_PATH, _found(BOSS, rights))
    assert (certain.weight, open_.weight) == (Severity.CRITICAL, Severity.HIGH)
    assert open_.evidence["unknown"] == ["a pod runs as it"]
    assert "may be able to reach" in open_.says
    assert "(if a pod runs as it)" in open_.steps[0]


def test_a_path_goes_over_several_identities() -> None:
    """Each step of a longer path has its own sentence and its own binding."""
    middle = bound("m", account("middle"), rule("create", "serviceaccounts/token"), namespace="dev")
    chain = [
        *BOSS,
        *middle,
        *bound(
            "b", account("bot"), rule("impersonate", "serviceaccounts", names=("middle",)), namespace="dev"
        ),
    ]
    [found] = [f for f in _found(chain) if f.about.endswith(":bot") and f.kind is FindingKind.ESCALATION_PATH]
    assert len(found.steps) == 2
    assert "RoleBinding `b` in `dev`" in found.steps[0]
    assert "RoleBinding `m` in `dev`" in found.steps[1]
    assert found.reach[0] == "`service account dev/boss (administrator of the cluster)`"


def test_a_cloud_identity_is_worth_taking() -> None:
    """A service account that acts in a cloud is stronger than one that does not; the reach names it."""
    roled = thing("ServiceAccount", "s3", "dev")
    roled["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/s3"}
    [found] = _of(FindingKind.ESCALATION_PATH, _found(roled, local(rule("create", "serviceaccounts/token"))))
    assert "the cloud as `arn:aws:iam::1:role/s3`" in found.reach


def test_members_of_a_group_do_not_repeat_its_path() -> None:
    """What a binding gives to all service accounts is one finding about the group."""
    everyone = bound("g", {"kind": "Group", "name": "system:serviceaccounts"}, rule("list", "secrets"))
    mild = bound("m", account("bot"), rule("get", "pods"), namespace="dev")
    found = _of(FindingKind.ESCALATION_PATH, _found(everyone, mild))
    assert [f.about for f in found] == ["principal:group:system:serviceaccounts"]


def test_clusters_of_two_folders_are_not_mixed() -> None:
    """A boss of one cluster is no stronger service account of another."""
    boss, rights = [*BOSS], local(rule("create", "serviceaccounts/token"))
    boss[0]["metadata"]["uid"], rights[0]["metadata"]["uid"] = "1", "2"
    kinds = [
        _of(FindingKind.ESCALATION_PATH, _found(files=files))
        for files in (
            {"east/a.json": boss, "west/b.json": rights},
            {"east/a.json": boss, "east/b.json": rights},
        )
    ]
    del boss[0]["metadata"]["uid"]
    assert [len(found) for found in kinds] == [0, 1]


def test_exports_of_one_folder_that_contradict_each_other_are_two_clusters() -> None:
    """One object with two ids is two objects."""
    first, second = thing("Namespace", "kube-system"), thing("Namespace", "kube-system")
    first["metadata"]["uid"], second["metadata"]["uid"] = "1", "2"
    files = {
        "x/a.json": [first, *BOSS],
        "x/b.json": [second, *local(rule("create", "serviceaccounts/token"))],
    }
    assert not _of(FindingKind.ESCALATION_PATH, _found(files=files))


def test_names_cannot_break_the_sentences() -> None:
    """Backticks and characters that people do not see are not taken over from names."""
    evil = bound("a`b\u202e", account("bot"), rule("list", "secrets"))
    [found] = _of(FindingKind.ESCALATION_PATH, _found(evil))
    assert "a'b\\u{202e}" in found.steps[0]


def test_drawing_pods_to_a_node_is_a_low_path() -> None:
    """Autoscalers may evict pods and change nodes: without a node of one's own that leads nowhere."""
    evicting = wide(rule("create", "pods/eviction"), rule("patch", "nodes"))
    [found] = _of(FindingKind.ESCALATION_PATH, _found(BOSS_POD, evicting))
    assert found.weight is Severity.LOW
