# SPDX-License-Identifier: Apache-2.0
"""Clusters with and without escalation paths.

The facts are those of Kubernetes' "RBAC Good Practices" and of the rules of rbac-police and KubiScan,
expressed again; no text or code of theirs is here.
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.discovery.declared import PermissionSource
from remit.core.json_value import Json
from tests.samples.privileges.case import Case

RBAC: Final = "rbac.authorization.k8s.io"
CERTIFICATES: Final = "certificates.k8s.io"
WEBHOOKS: Final = "admissionregistration.k8s.io"
POLICE: Final = "rbac-police"
KUBISCAN: Final = "KubiScan"
GOOD: Final = "RBAC Good Practices"
BOT: Final = "bot"


def thing(kind: str, name: str, namespace: str = "", **fields: Json) -> dict[str, Json]:
    """Return an object of a cluster."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


def rule(verbs: str, resources: str, group: str = "", names: tuple[str, ...] = ()) -> dict[str, Json]:
    """Return a rule of a role."""
    found: dict[str, Json] = {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
    return {**found, "resourceNames": list(names)} if names else found


def bound(name: str, subject: dict[str, Json], *rules: Json, namespace: str = "") -> list[dict[str, Json]]:
    """Return a role with rules, and its binding to a subject, in a namespace or in the cluster."""
    prefix = "" if namespace else "Cluster"
    role = thing(f"{prefix}Role", f"{name}-role", namespace, rules=list(rules))
    reference = {"kind": f"{prefix}Role", "name": f"{name}-role", "apiGroup": RBAC}
    return [role, thing(f"{prefix}RoleBinding", name, namespace, subjects=[subject], roleRef=reference)]


def account(name: str, namespace: str = "dev") -> dict[str, Json]:
    """Return a service account as a subject."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def pod(name: str, account_name: str, namespace: str = "dev", **spec: Json) -> dict[str, Json]:
    """Return a pod."""
    fields = {"serviceAccountName": account_name, "containers": [{"name": "c", "image": "i"}], **spec}
    return thing("Pod", name, namespace, spec=fields)


#: A namespace whose pods may not be privileged, with a bot and an administrator's service account.
STAGE: Final = [
    thing("Namespace", "dev"),
    thing("ServiceAccount", BOT, "dev"),
    thing("ServiceAccount", "boss", "dev"),
]
STAGE[0]["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}
BOSS: Final = [
    thing(
        "ClusterRoleBinding",
        "boss",
        subjects=[account("boss")],
        roleRef={"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": RBAC},
    )
]
BOSS_POD: Final = [*BOSS, pod("boss-0", "boss")]


def case_of(name: str, paths: str, *items: Any, source: str = GOOD) -> Case:
    """Return the labelled export of a cluster: the stage with items, and the techniques that the bot has."""
    flat = [item for part in items for item in (part if isinstance(part, list) else [part])]
    return Case(
        name=name,
        provider=PermissionSource.KUBERNETES,
        documents={"cluster/all.json": {"kind": "List", "items": [*STAGE, *flat]}},
        paths=frozenset(p.replace("/", " ") if "/" in p else f"{BOT} {p}" for p in paths.split()),
        source=source,
    )


def local(*rules: Json) -> list[dict[str, Json]]:
    """Return rules that the bot has in its namespace."""
    return bound("local", account(BOT), *rules, namespace="dev")


def wide(*rules: Json) -> list[dict[str, Json]]:
    """Return rules that the bot has in the cluster."""
    return bound("wide", account(BOT), *rules)


def _workload(kind: str, group: str, verb: str) -> Case:
    name = f"{verb} {kind} with a stronger service account"
    return case_of(name, "run-workload", BOSS, local(rule(verb, kind, group)), source=KUBISCAN)


_ESCALATE = rule("escalate update", "clusterroles", RBAC)
_CSR = (
    rule("create", "certificatesigningrequests", CERTIFICATES),
    rule("update", "certificatesigningrequests/approval", CERTIFICATES),
)
_SIGNER = "kubernetes.io/kube-apiserver-client"
_TOKEN = thing("Secret", "boss-token", "dev", type="kubernetes.io/service-account-token")
_TOKEN["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "boss"}
_EDITOR = thing(
    "RoleBinding", "edit", "dev", subjects=[account(BOT)], roleRef={"kind": "ClusterRole", "name": "edit"}
)
_AGGREGATED = thing("ClusterRole", "sum", rules=[])
_AGGREGATED["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]}
_PART = thing("ClusterRole", "part", rules=[rule("list", "secrets")])
_PART["metadata"]["labels"] = {"part": "yes"}
_SUM = thing(
    "ClusterRoleBinding", "sum", subjects=[account(BOT)], roleRef={"kind": "ClusterRole", "name": "sum"}
)

PATHS: Final = [
    case_of("escalate a ClusterRole", "escalate", wide(_ESCALATE), source=POLICE),
    case_of(
        "escalate a Role in a namespace with a boss",
        "escalate",
        BOSS,
        local(rule("escalate patch", "roles", RBAC)),
        source=POLICE,
    ),
    case_of(
        "bind cluster-admin",
        "bind",
        wide(rule("bind", "clusterroles", RBAC), rule("create", "clusterrolebindings", RBAC)),
        source=POLICE,
    ),
    case_of(
        "bind with RoleBindings of every namespace",
        "bind",
        wide(rule("bind", "clusterroles", RBAC), rule("create", "rolebindings", RBAC)),
        source=KUBISCAN,
    ),
    case_of(
        "add itself to the administrators' binding",
        "bind",
        BOSS,
        wide(rule("bind", "clusterroles", RBAC), rule("patch", "clusterrolebindings", RBAC)),
    ),
    case_of(
        "bind a named strong role",
        "bind other/read-secrets",
        bound("strong", account("other", "ops"), rule("list", "secrets")),
        wide(
            rule("bind", "clusterroles", RBAC, ("strong-role",)), rule("create", "clusterrolebindings", RBAC)
        ),
        source=KUBISCAN,
    ),
    case_of("impersonate any user", "impersonate", wide(rule("impersonate", "users")), source=POLICE),
    case_of(
        "impersonate a group as a user",
        "impersonate",
        wide(rule("impersonate", "users", names=("x",)), rule("impersonate", "groups")),
    ),
    case_of(
        "impersonate a service account",
        "impersonate",
        BOSS,
        local(rule("impersonate", "serviceaccounts")),
        source=POLICE,
    ),
    case_of(
        "impersonate a named service account",
        "impersonate",
        BOSS,
        local(rule("impersonate", "serviceaccounts", names=("boss",))),
    ),
    case_of("list every secret", "read-secrets", wide(rule("list", "secrets")), source=KUBISCAN),
    case_of("watch every secret", "read-secrets", wide(rule("watch", "secrets"))),
    case_of("get every secret by name", "read-secrets", wide(rule("get", "secrets")), source=KUBISCAN),
    case_of(
        "secrets of kube-system",
        "read-secrets",
        bound("s", account(BOT), rule("list", "secrets"), namespace="kube-system"),
        source=POLICE,
    ),
    case_of(
        "a token that lies in a secret",
        "read-secrets",
        BOSS,
        _TOKEN,
        local(rule("get", "secrets", names=("boss-token",))),
    ),
    case_of("an aggregated role lists secrets", "read-secrets", _AGGREGATED, _PART, _SUM),
    case_of(
        "make a token secret and read it",
        "token-secret",
        BOSS,
        local(rule("create", "secrets"), rule("get", "secrets")),
        source=POLICE,
    ),
    case_of(
        "make a token secret and read it in the answer to a patch",
        "token-secret",
        BOSS,
        local(rule("create patch", "secrets")),
        source=POLICE,
    ),
    case_of(
        "the answer to a patch of a token secret",
        "read-secrets",
        BOSS,
        _TOKEN,
        local(rule("patch", "secrets", names=("boss-token",))),
    ),
    case_of(
        "request a token",
        "request-token",
        BOSS,
        local(rule("create", "serviceaccounts/token")),
        source=POLICE,
    ),
    case_of(
        "request the token of a named account",
        "request-token",
        BOSS,
        local(rule("create", "serviceaccounts/token", names=("boss",))),
    ),
    case_of(
        "create a pod with a stronger service account",
        "run-workload",
        BOSS,
        local(rule("create", "pods")),
        source=POLICE,
    ),
    _workload("deployments", "apps", "create"),
    _workload("deployments", "apps", "update"),
    _workload("daemonsets", "apps", "patch"),
    _workload("statefulsets", "apps", "create"),
    _workload("replicasets", "apps", "update"),
    _workload("replicationcontrollers", "", "create"),
    _workload("jobs", "batch", "create"),
    _workload("cronjobs", "batch", "update"),
    case_of(
        "pods in kube-system",
        "run-workload privileged-pod",
        bound("s", account(BOT), rule("create", "pods"), namespace="kube-system"),
        source=POLICE,
    ),
    case_of(
        "a privileged pod where no label forbids it",
        "privileged-pod",
        thing("Namespace", "open"),
        bound("o", account(BOT), rule("create", "pods"), namespace="open"),
        source=GOOD,
    ),
    case_of(
        "remove the label that forbids it",
        "privileged-pod",
        local(rule("create", "pods"), rule("patch", "namespaces")),
    ),
    case_of(
        "a volume of a node",
        "host-volume",
        wide(rule("create", "persistentvolumes")),
        local(rule("create", "pods persistentvolumeclaims")),
    ),
    case_of(
        "exec into a boss's pod", "pod-exec", BOSS_POD, local(rule("create", "pods/exec")), source=POLICE
    ),
    case_of("exec by a wildcard for subresources", "pod-exec", BOSS_POD, local(rule("create", "*/exec"))),
    case_of("exec by get", "pod-exec", BOSS_POD, local(rule("get", "pods/exec"))),
    case_of(
        "attach to a boss's pod",
        "pod-attach",
        BOSS_POD,
        local(rule("create", "pods/attach")),
        source=KUBISCAN,
    ),
    case_of(
        "an ephemeral container in a boss's pod",
        "ephemeral-container",
        BOSS_POD,
        local(rule("patch", "pods/ephemeralcontainers")),
        source=POLICE,
    ),
    case_of(
        "change the image of a boss's pod",
        "change-pod",
        BOSS_POD,
        local(rule("patch", "pods")),
        source=POLICE,
    ),
    case_of(
        "exec into a privileged pod",
        "pod-exec",
        pod("agent", BOT, hostPID=True),
        local(rule("create", "pods/exec")),
    ),
    case_of(
        "kubelets through the API server", "node-proxy", wide(rule("create", "nodes/proxy")), source=POLICE
    ),
    case_of("kubelets by get", "node-proxy", wide(rule("get", "nodes/proxy"))),
    case_of(
        "sign a certificate",
        "certificate",
        wide(*_CSR, rule("approve", "signers", CERTIFICATES, (_SIGNER,))),
        source=POLICE,
    ),
    case_of(
        "sign for a whole domain",
        "certificate",
        wide(*_CSR, rule("approve", "signers", CERTIFICATES, ("kubernetes.io/*",))),
    ),
    case_of(
        "a mutating webhook",
        "webhook",
        wide(rule("update", "mutatingwebhookconfigurations", WEBHOOKS)),
        source=POLICE,
    ),
    case_of(
        "a validating webhook",
        "webhook",
        wide(rule("create", "validatingwebhookconfigurations", WEBHOOKS)),
        source=POLICE,
    ),
    case_of(
        "drive pods onto its node",
        "move-pods",
        BOSS_POD,
        wide(rule("delete", "pods"), rule("patch", "nodes/status")),
        source=POLICE,
    ),
    case_of("drive pods away by taints", "move-pods", BOSS_POD, wide(rule("patch", "nodes")), source=POLICE),
    case_of(
        "map itself in aws-auth",
        "aws-auth",
        thing("ConfigMap", "aws-auth", "kube-system"),
        bound("c", account(BOT), rule("patch", "configmaps"), namespace="kube-system"),
        source=POLICE,
    ),
    case_of("edit beside a boss", "run-workload impersonate request-token token-secret", BOSS, _EDITOR),
    case_of(
        "every verb on every pod",
        "run-workload privileged-pod change-pod",
        BOSS_POD,
        wide(rule("*", "pods")),
        source=KUBISCAN,
    ),
    case_of(
        "exec where the pods of the namespace were not exported",
        "pod-exec",
        BOSS,
        pod("x", "x", "ops"),
        local(rule("create", "pods/exec")),
    ),
    case_of(
        "every verb on every ClusterRole", "escalate", wide(rule("*", "clusterroles", RBAC)), source=KUBISCAN
    ),
    case_of(
        "read everything", "read-secrets node-proxy", wide(rule("get list watch", "*", "*")), source=KUBISCAN
    ),
]

_OWN_TOKEN = thing("Secret", "bot-token", "dev", type="kubernetes.io/service-account-token")
_OWN_TOKEN["metadata"]["annotations"] = {"kubernetes.io/service-account.name": BOT}

NEAR_MISSES: Final = [
    case_of(
        "escalate without a role to write", "", wide(rule("escalate", "clusterroles", RBAC)), source=POLICE
    ),
    case_of(
        "escalate a role that it does not hold",
        "",
        wide(rule("escalate update", "clusterroles", RBAC, ("other",))),
    ),
    case_of(
        "write roles without escalate", "", wide(rule("create update patch", "clusterroles roles", RBAC))
    ),
    case_of(
        "a Role gives no cluster-wide rights",
        "",
        BOSS,
        local(_ESCALATE, rule("get", "nodes/proxy"), rule("impersonate", "users groups")),
    ),
    case_of(
        "write bindings without bind",
        "",
        BOSS,
        wide(rule("create update patch", "clusterrolebindings rolebindings", RBAC)),
        source=KUBISCAN,
    ),
    case_of(
        "every verb on bindings alone",
        "",
        BOSS,
        wide(rule("*", "rolebindings clusterrolebindings", RBAC)),
        source=KUBISCAN,
    ),
    case_of("bind without a binding to write", "", wide(rule("bind", "clusterroles", RBAC))),
    case_of(
        "bind a harmless role",
        "",
        bound("mild", account("x", "ops"), rule("list", "pods")),
        wide(rule("bind", "clusterroles", RBAC, ("mild-role",)), rule("create", "clusterrolebindings", RBAC)),
    ),
    case_of("impersonate groups without a user", "", wide(rule("impersonate", "groups")), source=KUBISCAN),
    case_of("impersonate a user without rights", "", wide(rule("impersonate", "users", names=("jane",)))),
    case_of("impersonation of the wrong group of resources", "", wide(rule("impersonate", "users", "apps"))),
    case_of("its namespace's secrets without tokens", "", BOSS, local(rule("get list watch", "secrets"))),
    case_of("its own token in a secret", "", _OWN_TOKEN, local(rule("get", "secrets"))),
    case_of("another secret by name", "", BOSS, _TOKEN, local(rule("get", "secrets", names=("other",)))),
    case_of("secrets of another group", "", wide(rule("list", "secrets", "example.com"))),
    case_of("write secrets without reading", "", BOSS, local(rule("create update", "secrets"))),
    case_of(
        "patch a secret without a token",
        "",
        BOSS,
        thing("Secret", "other", "dev"),
        local(rule("patch", "secrets", names=("other",))),
    ),
    case_of("create with names permits nothing", "", BOSS, local(rule("create", "pods", names=("p",)))),
    case_of(
        "a subresource is not its resource", "", BOSS_POD, local(rule("create", "pods/log pods/portforward"))
    ),
    case_of("pods/* means nothing", "", BOSS_POD, local(rule("create", "pods/*"))),
    case_of("pods are not their exec", "", BOSS_POD, local(rule("get list watch delete", "pods"))),
    case_of("scale only", "", BOSS, local(rule("update patch", "deployments/scale", "apps"))),
    case_of(
        "the template of a job cannot change",
        "",
        BOSS,
        local(rule("update patch", "jobs", "batch")),
        source=KUBISCAN,
    ),
    case_of("the wrong API group", "", BOSS, local(rule("create", "deployments"))),
    case_of("pods without a stronger service account", "", local(rule("create", "pods"))),
    case_of(
        "the boss is in another namespace",
        "",
        local(rule("create", "pods")),
        bound("b", account("boss", "ops"), rule("*", "*", "*")),
        thing("ServiceAccount", "boss", "ops"),
    ),
    case_of("a claim without a volume", "", local(rule("create", "pods persistentvolumeclaims"))),
    case_of(
        "exec where only its own pods run", "", BOSS, pod("bot-0", BOT), local(rule("create", "pods/exec"))
    ),
    case_of(
        "exec into a pod without a token",
        "",
        BOSS,
        pod("boss-0", "boss", automountServiceAccountToken=False),
        local(rule("create", "pods/exec")),
    ),
    case_of(
        "request the token of another account",
        "",
        BOSS,
        local(rule("create", "serviceaccounts/token", names=("default",))),
    ),
    case_of("node metrics", "", wide(rule("get", "nodes/metrics nodes/stats nodes/log"))),
    case_of("approval without the signer", "", wide(*_CSR)),
    case_of("another signer", "", wide(*_CSR, rule("approve", "signers", CERTIFICATES, ("example.com/x",)))),
    case_of("read webhooks", "", wide(rule("get list watch", "mutatingwebhookconfigurations", WEBHOOKS))),
    case_of("patch the status of nodes alone", "", BOSS_POD, wide(rule("patch", "nodes/status"))),
    case_of("delete pods alone", "", BOSS_POD, wide(rule("delete", "pods"))),
    case_of(
        "ConfigMaps where there is no EKS",
        "",
        bound("c", account(BOT), rule("patch", "configmaps"), namespace="kube-system"),
    ),
    case_of("paths of URLs", "", bound("u", account(BOT), {"nonResourceURLs": ["*"], "verbs": ["*"]})),
    case_of(
        "read everything but secrets", "", wide(rule("get list watch", "pods configmaps deployments", "*"))
    ),
    case_of(
        "administrators are no paths",
        "",
        BOSS,
        thing(
            "ClusterRoleBinding",
            "b2",
            subjects=[account(BOT)],
            roleRef={"kind": "ClusterRole", "name": "cluster-admin"},
        ),
    ),
    case_of(
        "parts of the platform are no noise",
        "",
        thing(
            "ClusterRoleBinding",
            "system:controller:x",
            subjects=[account("x", "kube-system")],
            roleRef={"kind": "ClusterRole", "name": "edit"},
        ),
        thing(
            "ClusterRoleBinding",
            "system:node",
            subjects=[{"kind": "Group", "name": "system:masters"}],
            roleRef={"kind": "ClusterRole", "name": "edit"},
        ),
    ),
    case_of(
        "exec where no pod of the namespace runs",
        "",
        BOSS,
        pod("dns", "dns", "kube-system"),
        local(rule("create", "pods/exec")),
    ),
    case_of("exec by another path of the wrong verb", "", BOSS_POD, local(rule("list", "pods/exec"))),
]
