# SPDX-License-Identifier: Apache-2.0
"""The table of what each step of escalation needs in a cluster, and of what takes it away."""

from __future__ import annotations

from typing import Final

import msgspec


class ClusterNeed(msgspec.Struct, frozen=True):
    """One of several permissions: verbs (any of them), API group and resource.

    With `name` it must hold for that object. `cluster` resources have no namespace, so that a RoleBinding
    cannot give them.
    """

    any: tuple[tuple[str, str, str], ...]
    name: str = ""
    cluster: bool = False

    @property
    def names(self) -> frozenset[str]:
        """The name, and the pattern of its domain (`kubernetes.io/*`), which RBAC knows for signers alone."""
        domain, slash, _ = self.name.partition("/")
        return frozenset({self.name, f"{domain}/*"} if slash else {self.name})


class ClusterTechnique(msgspec.Struct, frozen=True, kw_only=True):
    """A step to a service account: of any that exists (`accounts`) or of one whose pods run (`pods`).

    `named` techniques are limited by the names of their first need, which are those of service accounts.
    """

    name: str
    needs: tuple[ClusterNeed, ...]
    target: str
    says: str
    named: bool = False
    unknown: str = ""


_CHANGE: Final = "create update patch"
#: Running a pod of one's own making. The template of a Job cannot be changed after its creation.
WORKLOAD: Final = ClusterNeed(
    (
        ("create", "", "pods"),
        (_CHANGE, "apps", "deployments"),
        (_CHANGE, "apps", "daemonsets"),
        (_CHANGE, "apps", "statefulsets"),
        (_CHANGE, "apps", "replicasets"),
        (_CHANGE, "", "replicationcontrollers"),
        (_CHANGE, "batch", "cronjobs"),
        ("create", "batch", "jobs"),
    )
)
VOLUME: Final = ClusterNeed((("create", "", "persistentvolumes"),), cluster=True)
CLAIM: Final = ClusterNeed((("create", "", "persistentvolumeclaims"),))
EXEC: Final = ClusterNeed((("create", "", "pods/exec"),))
PODS: Final = ClusterNeed((("update patch", "", "pods"),))
DRIVE_AWAY: Final = ClusterNeed(
    (
        ("delete", "", "pods"),
        ("create", "", "pods/eviction"),
        ("update patch", "", "pods"),
        ("update patch", "", "pods/status"),
        ("delete", "", "nodes"),
    )
)
IMPERSONATE: Final = ClusterNeed((("impersonate", "", "users"),), cluster=True)
_ADMISSION: Final = "admissionregistration.k8s.io"
WEBHOOK: Final = ClusterNeed(
    (
        (_CHANGE, _ADMISSION, "mutatingwebhookconfigurations"),
        (_CHANGE, _ADMISSION, "validatingwebhookconfigurations"),
    ),
    cluster=True,
)
_CERTIFICATES: Final = "certificates.k8s.io"
CSR: Final = (
    ClusterNeed((("create", _CERTIFICATES, "certificatesigningrequests"),), cluster=True),
    ClusterNeed((("update patch", _CERTIFICATES, "certificatesigningrequests/approval"),), cluster=True),
    ClusterNeed(
        (("approve", _CERTIFICATES, "signers"),), name="kubernetes.io/kube-apiserver-client", cluster=True
    ),
)

TECHNIQUES: Final = (
    ClusterTechnique(
        name="request-token",
        needs=(ClusterNeed((("create", "", "serviceaccounts/token"),)),),
        target="accounts",
        says="request a token of",
        named=True,
    ),
    ClusterTechnique(
        name="token-secret",
        needs=(
            ClusterNeed((("create", "", "secrets"),)),
            # The API answers a patch with the object.
            ClusterNeed((("get list watch patch", "", "secrets"),)),
        ),
        target="accounts",
        says="create a secret, which Kubernetes fills with a token, and read it to be",
    ),
    ClusterTechnique(name="run-workload", needs=(WORKLOAD,), target="accounts", says="run a pod as"),
    ClusterTechnique(
        name="pod-exec", needs=(EXEC,), target="pods", says="run commands in a pod that runs as"
    ),
    ClusterTechnique(
        name="pod-exec",
        needs=(ClusterNeed((("get", "", "pods/exec"),)),),
        target="pods",
        says="run commands in a pod that runs as",
        unknown="the cluster opens such sessions to `get` (before Kubernetes 1.35)",
    ),
    ClusterTechnique(
        name="pod-attach",
        needs=(ClusterNeed((("create", "", "pods/attach"),)),),
        target="pods",
        says="type into a process of a pod that runs as",
        unknown="the process runs what it is told",
    ),
    ClusterTechnique(
        name="ephemeral-container",
        needs=(ClusterNeed((("update patch", "", "pods/ephemeralcontainers"),)),),
        target="pods",
        says="add a container to a pod that runs as",
    ),
    ClusterTechnique(
        name="change-pod", needs=(PODS,), target="pods", says="change the image of a pod that runs as"
    ),
)

#: What takes each step away, by technique.
REMEDIATIONS: Final = {
    "request-token": "remove `create` on `serviceaccounts/token`, or limit it by `resourceNames`",
    "token-secret": "remove `create` on `secrets`, or reading them",
    "run-workload": "let it create workloads only in a namespace without stronger service accounts",
    "pod-exec": "remove `pods/exec`, or give it only in a namespace without stronger service accounts",
    "pod-attach": "remove `pods/attach`",
    "ephemeral-container": "remove `update` and `patch` on `pods/ephemeralcontainers`",
    "change-pod": "remove `update` and `patch` on `pods`",
    "read-secrets": "name the secrets in `resourceNames`, and remove `list` and `watch`",
    "privileged-pod": "label the namespace `pod-security.kubernetes.io/enforce: baseline` or `restricted`",
    "host-volume": "remove `create` on `persistentvolumes`: a StorageClass provides volumes",
    "aws-auth": "remove `update` and `patch` on ConfigMaps of `kube-system`, or use EKS access entries alone",
    "escalate": "remove `escalate`",
    "bind": "remove `bind`, or name harmless roles in `resourceNames`",
    "impersonate": "remove `impersonate`, or name the identities in `resourceNames`",
    "node-proxy": "remove `nodes/proxy`; `nodes/metrics` and `nodes/stats` suffice for monitoring",
    "certificate": "remove `approve` on the signer `kubernetes.io/kube-apiserver-client`",
    "webhook": "remove `create`, `update` and `patch` on webhook configurations",
    "move-pods": "remove `update` and `patch` on `nodes` and `nodes/status`",
}
