# SPDX-License-Identifier: Apache-2.0
"""A cluster as exports and manifests describe it, and what RBAC grants in it.

Source: Kubernetes, "Using RBAC Authorization", "Pod Security Standards".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from remit.core.discovery.declared import PermissionExport
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.kubernetes.roles import DEFAULT_ROLES, RoleRule, rules_of
from remit.core.discovery.privileges.values import environment_of, mapping, objects, quoted, text, texts
from remit.core.json_value import Json

ACCOUNT: Final = "system:serviceaccount:"
USER: Final = "user:"
GROUP: Final = "group:"
#: Kinds that run pods, and where the pod's specification stands in them.
WORKLOADS: Final[dict[str, tuple[str, ...]]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
#: Annotations of service accounts that give their pods an identity in a cloud.
CLOUD_IDENTITIES: Final = (
    "eks.amazonaws.com/role-arn",
    "iam.gke.io/gcp-service-account",
    "azure.workload.identity/client-id",
)
_DEEPEST_LIST: Final = 4
#: Most grants that are read of a cluster and of a subject, and most labels that are compared.
_MOST_GRANTS: Final = 100_000
_MOST_OF_SUBJECT: Final = 2_000
_MOST_LABELS: Final = 1_000_000
_BUILTIN_LABELS: Final = (
    "kubernetes.io/bootstrapping",
    "addonmanager.kubernetes.io/mode",
    "kubernetes.io/cluster-service",
    "eks.amazonaws.com/component",
)
_BUILTIN_NAMES: Final = ("system:", "eks:", "gce:", "kubeadm:")
#: Groups of everyone and of all service accounts: what they are given is not the platform's own.
WIDE_GROUPS: Final = ("system:unauthenticated", "system:authenticated", "system:serviceaccounts")


_Item = TypeVar("_Item")


class RuleGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a binding gives to a subject. An empty `namespace` is the whole cluster."""

    subject: str
    namespace: str
    rule: RoleRule
    by: str
    place: FilePlace
    builtin: bool = False


class PodWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """Something that runs pods. `owned` pods and sets belong to another workload."""

    kind: str
    namespace: str
    name: str
    account: str
    mounted: bool | None
    privileged: bool
    owned: bool
    place: FilePlace


class RoleBinding(msgspec.Struct, frozen=True, kw_only=True):
    """A RoleBinding or ClusterRoleBinding; the latter has no namespace."""

    name: str
    namespace: str
    role_kind: str
    role: str
    subjects: tuple[str, ...]
    labels: tuple[str, ...]
    place: FilePlace

    @property
    def says(self) -> str:
        """The binding and what it gives, in words."""
        where = f" in {quoted(self.namespace)}" if self.namespace else ""
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        return f"{kind} {quoted(self.name)}{where} gives {self.role_kind} {quoted(self.role)}"


class PodAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A service account. `cloud` is its identity in a cloud, `mounted` whether pods get its token unasked."""

    node: str
    cloud: str = ""
    mounted: bool = True
    secrets: frozenset[str] = frozenset()


class Cluster:
    """What the exports of one cluster say, with lookups. Their order does not matter."""

    def __init__(self, exports: Iterable[PermissionExport]) -> None:
        self.namespaces: dict[str, dict[str, str]] = {}
        self.accounts: dict[str, PodAccount] = {}
        self.workloads: list[PodWorkload] = []
        self.bindings: list[RoleBinding] = []
        self.tokens: dict[tuple[str, str], str] = {}
        self.eks = self.policies = False
        self._roles: dict[tuple[str, str], tuple[RoleRule, ...]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._selectors: dict[str, list[dict[str, Json]]] = {}
        for export in exports:
            for item in listed(export.document):
                self._read(item, export.place)
        self.bindings.sort(key=msgspec.json.encode)
        self.workloads.sort(key=msgspec.json.encode)
        self._compared = 0
        self._labels = dict(sorted(self._labels.items()))
        for workload in self.workloads:
            self.accounts.setdefault(workload.account, PodAccount(node=workload.account))
        self.bindings_of: dict[str, list[RoleBinding]] = {}
        self.bindings_in: dict[str, list[RoleBinding]] = {}
        self.grants: dict[str, list[RuleGrant]] = {}
        self._grant()
        self.workloads_in = _grouped(self.workloads, lambda workload: workload.namespace)
        self.accounts_in = _grouped(sorted(self.accounts), lambda account: place_of(account)[0])
        self.accounts_named = _grouped(sorted(self.accounts), lambda account: place_of(account)[1])
        self.tokens_named = _grouped(sorted(self.tokens), lambda token: token[1])

    def _grant(self) -> None:
        total = 0
        rules: dict[tuple[str, str, str], tuple[RoleRule, ...]] = {}
        for binding in self.bindings:
            self.bindings_in.setdefault(binding.namespace, []).append(binding)
            role = (binding.role_kind, binding.role, binding.namespace)
            if role not in rules:
                rules[role] = self.rules(*role)
            for subject in binding.subjects:
                self.bindings_of.setdefault(subject, []).append(binding)
                if subject.startswith(ACCOUNT):
                    self.accounts.setdefault(subject, PodAccount(node=subject))
                grants = self.grants.setdefault(subject, [])
                if total < _MOST_GRANTS and len(grants) < _MOST_OF_SUBJECT:
                    room = _MOST_OF_SUBJECT - len(grants)
                    grants.extend(_granted(binding, subject, rules[role][:room]))
                    total += len(rules[role][:room])

    def rules(self, kind: str, name: str, namespace: str) -> tuple[RoleRule, ...]:
        """Return the rules of a role, with what a ClusterRole aggregates."""
        if kind != "ClusterRole":
            return self._roles.get((namespace, name), ())
        rules = self._roles.get(("", name), DEFAULT_ROLES.get(name, ()))
        parts: list[RoleRule] = []
        for selector in self._selectors.get(name, ()):
            for other, labels in self._labels.items():
                self._compared += 1
                if self._compared > _MOST_LABELS or len(parts) > _MOST_OF_SUBJECT:
                    return rules + tuple(parts)
                if other != name and _selected(selector, labels):
                    parts += self._roles.get(("", other), ())
        return rules + tuple(parts)

    def all_grants(self, subject: str) -> list[RuleGrant]:
        """Return the grants of a subject and of its groups."""
        return [grant for member in (subject, *groups_of(subject)) for grant in self.grants.get(member, ())]

    def running(self, namespace: str) -> Iterator[PodWorkload]:
        """Yield the workloads of a namespace, or of all, whose pods hold a token of their service account."""
        for workload in self.workloads_in.get(namespace, ()) if namespace else self.workloads:
            mounted = workload.mounted
            if self.accounts[workload.account].mounted if mounted is None else mounted:
                yield workload

    def environment(self, namespace: str) -> str:
        """Return `production`, `development` or nothing for a namespace, by its name or its labels."""
        labels = self.namespaces.get(namespace, {})
        stated = next(
            (
                labels[name]
                for name in ("environment", "env", "app.kubernetes.io/environment")
                if name in labels
            ),
            "",
        )
        return environment_of(stated) or environment_of(namespace)

    def all_namespaces(self) -> set[str]:
        """Return each namespace that an object of the exports names."""
        named = {binding.namespace for binding in self.bindings} | {w.namespace for w in self.workloads}
        named |= {place_of(account)[0] for account in self.accounts}
        return (named | set(self.namespaces)) - {""}

    def _read(self, item: dict[str, Json], place: FilePlace) -> None:
        kind, name, namespace = (
            text(item, "kind"),
            text(item, "metadata", "name"),
            text(item, "metadata", "namespace"),
        )
        labels = {k: v for k, v in mapping(item, "metadata", "labels").items() if isinstance(v, str)}
        place = msgspec.structs.replace(place, inside=f"{kind} {namespace + '/' if namespace else ''}{name}")
        if kind in WORKLOADS:
            self.workloads.append(_workload(item, kind, namespace or "default", name, place))
        elif kind in ("Role", "ClusterRole"):
            scope = namespace or "default" if kind == "Role" else ""
            self._roles[scope, name] = self._roles.get((scope, name), ()) + rules_of(item)
            if kind == "ClusterRole":
                if labels:
                    self._labels[name] = labels
                self._selectors[name] = list(objects(item, "aggregationRule", "clusterRoleSelectors"))
        elif kind in ("RoleBinding", "ClusterRoleBinding"):
            scope = namespace or "default" if kind == "RoleBinding" else ""
            self.bindings.append(_binding(item, name, scope, tuple(sorted(labels)), place))
        elif kind == "ServiceAccount":
            account = _account(item, namespace or "default", name)
            self.accounts[account.node] = account
        elif kind == "Namespace":
            self.namespaces[name] = labels
        elif kind == "Secret" and text(item, "type") == "kubernetes.io/service-account-token":
            owner = text(mapping(item, "metadata", "annotations"), "kubernetes.io/service-account.name")
            if owner:
                self.tokens[namespace or "default", name] = f"{ACCOUNT}{namespace or 'default'}:{owner}"
        elif kind == "ConfigMap" and (namespace, name) == ("kube-system", "aws-auth"):
            self.eks = True
        elif kind in ("ClusterPolicy", "ValidatingAdmissionPolicyBinding") or text(
            item, "apiVersion"
        ).startswith("constraints.gatekeeper.sh/"):
            self.policies = True


def _grouped(items: Iterable[_Item], key_of: Callable[[_Item], str]) -> dict[str, list[_Item]]:
    found: dict[str, list[_Item]] = {}
    for item in items:
        found.setdefault(key_of(item), []).append(item)
    return found


def listed(document: Json, depth: int = 0) -> Iterator[dict[str, Json]]:
    """Yield the objects of a document: itself, the items of a list, or the documents of a file."""
    if depth > _DEEPEST_LIST:
        return
    if isinstance(document, list):
        for member in objects(document):
            yield from listed(member, depth + 1)
    elif isinstance(document, dict):
        if isinstance(document.get("items"), list):
            kind = text(document, "kind").removesuffix("List")
            for member in objects(document, "items"):
                yield from listed({"kind": kind, **member} if kind else member, depth + 1)
        elif text(document, "kind"):
            yield document


def groups_of(subject: str) -> tuple[str, ...]:
    """Return the groups that a subject belongs to without a binding."""
    if subject.startswith(ACCOUNT):
        namespace = place_of(subject)[0]
        return (
            f"{GROUP}system:serviceaccounts",
            f"{GROUP}system:serviceaccounts:{namespace}",
            f"{GROUP}system:authenticated",
        )
    return (f"{GROUP}system:authenticated",) if subject.startswith(USER) else ()


def place_of(account: str) -> tuple[str, str]:
    """Return the namespace and the name of a service account."""
    namespace, _, name = account.removeprefix(ACCOUNT).partition(":")
    return namespace, name


def is_platform(subject: str) -> bool:
    """Return whether a subject is a part of Kubernetes or of its provider, and not of everyone."""
    kind, _, name = subject.partition(":")
    if f"{kind}:" in (USER, GROUP):
        wide = name.startswith(WIDE_GROUPS) or name == "system:anonymous"
        return name.startswith(_BUILTIN_NAMES) and not wide
    return subject.startswith(f"{ACCOUNT}kube-system:")


def _granted(binding: RoleBinding, subject: str, rules: Iterable[RoleRule]) -> Iterator[RuleGrant]:
    named = binding.name.startswith(_BUILTIN_NAMES) or any(n in _BUILTIN_LABELS for n in binding.labels)
    system = subject.startswith((f"{USER}system:", f"{GROUP}system:")) and is_platform(subject)
    for rule in dict.fromkeys(rules):
        yield RuleGrant(
            subject=subject,
            namespace=binding.namespace,
            rule=rule,
            by=f"{binding.says} to {shown(subject)}",
            place=binding.place,
            builtin=system or (named and is_platform(subject)),
        )


def shown(subject: str) -> str:
    """Return a subject in words, its name in backticks."""
    if subject.startswith(ACCOUNT):
        return f"service account {quoted('/'.join(place_of(subject)))}"
    kind, _, name = subject.partition(":")
    return f"{kind} {quoted(name)}"


def _binding(
    item: dict[str, Json], name: str, namespace: str, labels: tuple[str, ...], place: FilePlace
) -> RoleBinding:
    subjects: list[str] = []
    for subject in objects(item, "subjects"):
        kind, who = text(subject, "kind"), text(subject, "name")
        if kind == "ServiceAccount":
            # RBAC takes no namespace from the binding: a subject without one is invalid in a cluster,
            # and kubectl and kustomize fill it in for manifests.
            subjects.append(f"{ACCOUNT}{text(subject, 'namespace') or namespace or 'default'}:{who}")
        elif kind == "User":
            subjects.append(who if who.startswith(ACCOUNT) else f"{USER}{who}")
        elif kind == "Group":
            subjects.append(f"{GROUP}{who}")
    return RoleBinding(
        name=name,
        namespace=namespace,
        role_kind="ClusterRole"
        if text(item, "roleRef", "kind") == "ClusterRole" or not namespace
        else "Role",
        role=text(item, "roleRef", "name"),
        subjects=tuple(dict.fromkeys(subjects)),
        labels=labels,
        place=place,
    )


def _account(item: dict[str, Json], namespace: str, name: str) -> PodAccount:
    annotations = mapping(item, "metadata", "annotations")
    return PodAccount(
        node=f"{ACCOUNT}{namespace}:{name}",
        cloud=next((found for key in CLOUD_IDENTITIES if (found := text(annotations, key))), ""),
        mounted=item.get("automountServiceAccountToken") is not False,
        secrets=frozenset(text(secret, "name") for secret in objects(item, "secrets")),
    )


def _workload(item: dict[str, Json], kind: str, namespace: str, name: str, place: FilePlace) -> PodWorkload:
    spec = mapping(item, *WORKLOADS[kind])
    containers = [*objects(spec, "containers"), *objects(spec, "initContainers")]
    account = text(spec, "serviceAccountName") or text(spec, "serviceAccount") or "default"
    return PodWorkload(
        kind=kind,
        namespace=namespace,
        name=name,
        account=f"{ACCOUNT}{namespace}:{account}",
        mounted=stated if isinstance(stated := spec.get("automountServiceAccountToken"), bool) else None,
        privileged=any(mapping(c, "securityContext").get("privileged") is True for c in containers)
        or spec.get("hostPID") is True
        or any("hostPath" in volume for volume in objects(spec, "volumes")),
        owned=any(objects(item, "metadata", "ownerReferences")),
        place=place,
    )


def _selected(selector: dict[str, Json], labels: dict[str, str]) -> bool:
    """Return whether a label selector takes labels. An empty or unknown selector takes none."""
    wanted, terms = mapping(selector, "matchLabels"), list(objects(selector, "matchExpressions"))
    if not wanted and not terms:
        return False
    return all(labels.get(k) == v for k, v in wanted.items()) and all(_term(term, labels) for term in terms)


def _term(term: dict[str, Json], labels: dict[str, str]) -> bool:
    key, operator, values = text(term, "key"), text(term, "operator"), texts(term, "values")
    if operator in ("In", "NotIn"):
        return (labels.get(key) in values) == (operator == "In")
    return operator in ("Exists", "DoesNotExist") and (key in labels) == (operator == "Exists")
