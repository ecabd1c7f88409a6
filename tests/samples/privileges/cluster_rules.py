# SPDX-License-Identifier: Apache-2.0
"""Each risky role of KubiScan and each policy of rbac-police as a case for clusters.

The facts (which verbs on what) are theirs, expressed again; no text or code of theirs is here. A right alone
that gains nothing is no path; then `why` says what it lacks, or what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from remit.core.json_value import Json
from tests.samples.privileges.case import Case
from tests.samples.privileges.kubernetes import (
    BOSS_POD,
    BOT,
    CERTIFICATES,
    KUBISCAN,
    POLICE,
    RBAC,
    WEBHOOKS,
    account,
    bound,
    case_of,
    local,
    rule,
    thing,
    wide,
)

SYSTEM: Final = "kube-system"
NO_BIND: Final = "writing bindings takes `bind` on the role, or holding what it gives"
NO_USER: Final = "a group is impersonated together with a user or service account"
NO_ESCALATE: Final = "a role is written with rights that one holds, unless `escalate` lifts that"


class ClusterRule(msgspec.Struct, frozen=True):
    """A rule of another scanner: what the bot may do, the techniques that are found, or why none is."""

    source: str
    name: str
    items: tuple[Any, ...]
    techniques: str = ""
    why: str = ""

    @property
    def case(self) -> Case:
        """The labelled export."""
        return case_of(
            f"{self.source}: {self.name}", self.techniques, BOSS_POD, *self.items, source=self.source
        )


def _system(*rules: Json) -> list[dict[str, Json]]:
    return bound("system", account(BOT), *rules, namespace=SYSTEM)


_WORKLOADS: Final = {
    "deployments": "apps",
    "daemonsets": "apps",
    "statefulsets": "apps",
    "replicasets": "apps",
    "replicationcontrollers": "",
    "cronjobs": "batch",
    "jobs": "batch",
}


def _kubiscan() -> Iterator[ClusterRule]:
    def scan(name: str, techniques: str, *rules: Json, why: str = "", everywhere: bool = True) -> ClusterRule:
        return ClusterRule(KUBISCAN, name, ((wide if everywhere else local)(*rules),), techniques, why)

    for verb in ("get", "list"):
        yield scan(f"{verb} secrets", "read-secrets", rule(verb, "secrets", "*"))
    yield scan("impersonate groups", "", rule("impersonate", "groups", "*"), why=NO_USER)
    yield scan("everything", "", rule("*", "*", "*"), why="an administrator, which is wide authority")
    yield scan("every verb on secrets", "read-secrets token-secret", rule("*", "secrets", "*"))
    yield scan("every verb on pods", "run-workload privileged-pod change-pod", rule("*", "pods", "*"))
    for kind in _WORKLOADS:
        yield scan(f"every verb on {kind}", "run-workload privileged-pod", rule("*", kind, "*"))
    yield scan("every verb on roles", "escalate", rule("*", "roles", "*"), everywhere=False)
    yield scan("every verb on clusterroles", "escalate", rule("*", "clusterroles", "*"))
    for kind in ("rolebindings", "clusterrolebindings"):
        yield scan(f"every verb on {kind}", "", rule("*", kind, "*"), why=NO_BIND)
    yield scan("every verb on users", "impersonate", rule("*", "users", "*"))
    yield scan("every verb on groups", "", rule("*", "groups", "*"), why=NO_USER)
    for verb in ("delete", "deletecollection"):
        yield scan(f"{verb} everything", "", rule(verb, "*", "*"), why="it destroys, and gains no right")
    yield scan(
        "create everything",
        "run-workload privileged-pod host-volume pod-exec request-token node-proxy webhook",
        rule("create", "*", "*"),
    )
    yield scan("list everything", "read-secrets", rule("list", "*", "*"))
    yield scan("get everything", "read-secrets node-proxy", rule("get", "*", "*"))
    yield scan("impersonate everything", "impersonate", rule("impersonate", "*", "*"))
    for kind, group in _WORKLOADS.items():
        yield scan(f"create {kind}", "run-workload", rule("create", kind, group), everywhere=False)
        changes = "" if kind == "jobs" else "run-workload"
        why = "" if changes else "the template of a job cannot change"
        yield scan(f"update {kind}", changes, rule("update", kind, group), why=why, everywhere=False)
    for binding, role, found in (
        ("rolebindings", "roles", ""),
        ("rolebindings", "clusterroles", "bind"),
        ("clusterrolebindings", "clusterroles", "bind"),
    ):
        why = "" if found else "no Role of the cluster gives more"
        rules = rule("create", binding, RBAC), rule("bind", role, RBAC)
        yield scan(f"create {binding} and bind {role}", found, *rules, why=why)
    yield scan("create pods", "run-workload", rule("create", "pods"), everywhere=False)
    for sub, found in (("exec", "pod-exec"), ("attach", "pod-attach")):
        rules = rule("create", f"pods/{sub}"), rule("get", "pods")
        yield scan(f"create pods/{sub}", found, *rules, everywhere=False)
    yield scan("get and patch rolebindings", "", rule("get patch", "rolebindings", "*"), why=NO_BIND)


def _police() -> Iterator[ClusterRule]:
    def police(name: str, techniques: str, *items: Any, why: str = "") -> ClusterRule:
        return ClusterRule(POLICE, name, items, techniques, why)

    csr = (
        rule("create get", "certificatesigningrequests", CERTIFICATES),
        rule("update", "certificatesigningrequests/approval", CERTIFICATES),
        rule("approve", "signers", CERTIFICATES),
    )
    yield police("approve_csrs", "certificate", wide(*csr))
    yield police("assign_sa", "run-workload privileged-pod", _system(rule("patch", "daemonsets", "apps")))
    # The policy looks for `bind` on bindings; RBAC asks it of the role that is bound.
    yield police("bind_roles", "bind", wide(rule("create bind", "clusterrolebindings clusterroles", RBAC)))
    yield police("cluster_admin", "", wide(rule("*", "*", "*")), why="wide authority, and no path")
    hooks = rule("patch", "mutatingwebhookconfigurations", WEBHOOKS)
    yield police("control_webhooks", "webhook", wide(hooks))
    auth = thing("ConfigMap", "aws-auth", SYSTEM)
    yield police("eks_modify_aws_auth", "aws-auth", auth, _system(rule("update", "configmaps")))
    yield police("escalate_roles", "escalate", wide(rule("escalate update", "clusterroles", RBAC)))
    yield police("impersonate", "impersonate", wide(rule("impersonate", "serviceaccounts")))
    yield police("issue_token_secrets", "token-secret read-secrets", _system(rule("create patch", "secrets")))
    yield police("list_secrets", "read-secrets", wide(rule("list", "secrets")))
    what = "it moves traffic or pods, and gains no right of another identity"
    for kind in ("node", "pod"):
        yield police(f"modify_{kind}_status", "", wide(rule("patch", f"{kind}s/status")), why=what)
    yield police("modify_service_status_cve_2020_8554", "", wide(rule("patch", "services/status")), why=what)
    yield police("modify_pods", "change-pod", wide(rule("update", "pods")))
    yield police("nodes_proxy", "node-proxy", wide(rule("create", "nodes/proxy")))
    yield police("obtain_token_weak_ns", "request-token", local(rule("create", "serviceaccounts/token")))
    ephemeral = rule("update", "pods/ephemeralcontainers")
    yield police("pods_ephemeral_ctrs", "ephemeral-container", wide(ephemeral))
    yield police("pods_exec", "pod-exec", wide(rule("create", "pods/exec")))
    cloud = thing("ServiceAccount", BOT, "dev")
    cloud["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/r"}
    yield police("providerIAM", "", cloud, why="a role in the cloud is what it reaches, and no step")
    yield police("rce_weak_ns", "change-pod", local(rule("patch", "pods")))
    yield police("retrieve_secrets", "read-secrets", _system(rule("get", "secrets")))
    yield police(
        "steal_pods", "move-pods", wide(rule("create", "pods/eviction"), rule("patch", "nodes/status"))
    )
    yield police("token_request", "request-token", _system(rule("create", "serviceaccounts/token")))


RULES: Final = [*_kubiscan(), *_police()]
