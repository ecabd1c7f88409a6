# SPDX-License-Identifier: Apache-2.0
"""The steps by which holders of rights in a cluster gain other rights.

Facts: Kubernetes, "RBAC Good Practices" (privilege escalation risks); the rules of rbac-police and KubiScan.
A right without the rights that make it usable is no step: `escalate` needs `update` or `patch`, `bind` needs
a binding to write, a group is impersonated together with a user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.kubernetes.cluster import (
    ACCOUNT,
    GROUP,
    USER,
    Cluster,
    RuleGrant,
    groups_of,
    place_of,
)
from remit.core.discovery.privileges.kubernetes.roles import EVERYTHING, RBAC
from remit.core.discovery.privileges.kubernetes.techniques import (
    CLAIM,
    CSR,
    DRIVE_AWAY,
    IMPERSONATE,
    REMEDIATIONS,
    TECHNIQUES,
    VOLUME,
    WEBHOOK,
    WORKLOAD,
    ClusterNeed,
    ClusterTechnique,
)
from remit.core.discovery.privileges.paths import CHOSEN, PathStep
from remit.core.discovery.privileges.values import quoted
from remit.core.findings.kinds import Severity

ADMIN: Final = "goal:cluster-admin"
NODES: Final = "goal:nodes"
SECRETS: Final = "goal:secrets"
SYSTEM_SECRETS: Final = "goal:kube-system-secrets"
OBJECTS: Final = "goal:objects"
MOVED: Final = "goal:moved-pods"
SYSTEM: Final = "kube-system"
#: A service account of every cluster that may change each ClusterRole.
CONTROLLER: Final = f"{ACCOUNT}{SYSTEM}:clusterrole-aggregation-controller"
#: A user of every cluster that may request a token of each service account.
CONTROLLER_USER: Final = f"{USER}system:kube-controller-manager"
MASTERS: Final = f"{GROUP}system:masters"
GOALS: Final[dict[str, Severity]] = {
    ADMIN: Severity.CRITICAL,
    CONTROLLER: Severity.CRITICAL,
    CONTROLLER_USER: Severity.CRITICAL,
    MASTERS: Severity.CRITICAL,
    NODES: Severity.HIGH,
    SECRETS: Severity.HIGH,
    SYSTEM_SECRETS: Severity.HIGH,
    OBJECTS: Severity.HIGH,
    MOVED: Severity.MEDIUM,
}
NAMES: Final = {
    ADMIN: "administrator of the cluster",
    NODES: "control of the nodes",
    SECRETS: "every secret of the cluster",
    SYSTEM_SECRETS: "every secret of kube-system",
    OBJECTS: "every object that is written to the cluster",
    MOVED: "pods that it draws to itself",
}
#: Most namespaces that one subject's rights are looked at in.
_MOST_SCOPES: Final = 500
#: Most comparisons of a rule with another subject's grants; what is not compared is no gain.
_MOST_COMPARISONS: Final = 5_000_000
_FORBIDDING: Final = ("baseline", "restricted")
_READING: Final = frozenset({"get", "list", "watch"})


class _Used(msgspec.Struct, frozen=True):
    """The grants that meet a need, and the names that they are limited to; None for all names."""

    grants: tuple[RuleGrant, ...]
    names: frozenset[str] | None
    verbs: frozenset[str]


class ClusterSteps:
    """The steps of each node of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.admins = {
            subject
            for subject in (*cluster.grants, *cluster.accounts)
            if any(not g.namespace and g.rule.everything for g in cluster.all_grants(subject))
        }
        self._compared = 0
        self._privileged = {w.namespace for w in cluster.workloads if w.privileged}
        self.weights = {**GOALS, **dict.fromkeys(self.admins, Severity.CRITICAL)}

    def steps_of(self, node: str) -> list[PathStep]:
        """Return the steps that a node permits."""
        kind, _, rest = node.partition(":")
        if node in self.admins or (node in GOALS and node != NODES):
            return []
        if kind in ("accounts", "pods", "tokens"):
            return list(self._members(kind, rest))
        if node == NODES:
            says = f"read the token of {CHOSEN} from a pod on its node"
            return [PathStep(technique="token-on-node", target="pods:", says=says)]
        everywhere: list[RuleGrant] = []
        local: dict[str, list[RuleGrant]] = {}
        for grant in self._grants(node):
            (local.setdefault(grant.namespace, []) if grant.namespace else everywhere).append(grant)
        steps = list(self._scoped(node, everywhere, ""))
        for scope in sorted(local)[:_MOST_SCOPES]:
            steps += self._scoped(node, everywhere + local[scope], scope)
        return steps

    def gains(self, start: str, target: str) -> bool:
        """Return whether a target may write, read secrets or act in a cloud where the start may not."""
        if target in self.cluster.accounts and self.cluster.accounts[target].cloud:
            return True
        mine = self._grants(start)
        return any(self._lacks(mine, grant) for grant in self._grants(target))

    def _lacks(self, mine: Sequence[RuleGrant], grant: RuleGrant) -> bool:
        """Return whether grants do not permit what another one permits beyond reading ordinary objects."""
        rule = grant.rule
        near = [g for g in mine if g.namespace in ("", grant.namespace)]
        self._compared += len(near) + 1
        if any(g.rule.covers(rule) for g in near):
            return False
        for verb in sorted(rule.verbs):
            for group, resource in product(sorted(rule.groups), sorted(rule.resources)):
                if verb in _READING and resource not in ("*", "secrets"):
                    continue
                self._compared += len(near) + 1
                if self._compared > _MOST_COMPARISONS:
                    return False
                if not any(g.rule.permits(verb, group, resource) and _names_cover(g, grant) for g in near):
                    return True
        return False

    def name_of(self, node: str) -> str:
        """Return the name of a node for people."""
        kind, _, rest = node.partition(":")
        if node.startswith(ACCOUNT):
            powerful = " (administrator of the cluster)" if node in self.weights else ""
            return f"service account {'/'.join(place_of(node))}{powerful}"
        if kind == "namespace":
            return f"administrator of namespace {rest}"
        if kind == "role":
            name, _, scope = rest.rpartition("@")
            return f"holder of {name.replace(':', ' ', 1)}" + (f" in {scope}" if scope else "")
        return NAMES.get(node) or f"{kind} {rest}"

    def _grants(self, node: str) -> list[RuleGrant]:
        kind, _, rest = node.partition(":")
        if kind == "namespace":
            nowhere = FilePlace(file="")
            return [RuleGrant(subject=node, namespace=rest, rule=EVERYTHING, by="", place=nowhere)]
        if kind == "role":
            role, _, scope = rest.rpartition("@")
            role_kind, _, name = role.partition(":")
            rules = self.cluster.rules(role_kind, name, scope)
            nowhere = FilePlace(file="")
            return [RuleGrant(subject=node, namespace=scope, rule=r, by="", place=nowhere) for r in rules]
        return self.cluster.all_grants(node)

    def _members(self, kind: str, namespace: str) -> Iterator[PathStep]:
        cluster = self.cluster
        if kind == "tokens":
            for (where, _), account in sorted(cluster.tokens.items()):
                if namespace in ("", where):
                    yield _chosen(account)
            for node in self._accounts(namespace):
                if cluster.accounts[node].secrets:
                    yield _chosen(node)
            return
        known: set[str] = set()
        if kind == "pods":
            # An export of all namespaces has the pods of `kube-system`; another one says nothing of the rest.
            known = set(cluster.accounts_in) if SYSTEM in cluster.workloads_in else set(cluster.workloads_in)
            for account in sorted({w.account for w in cluster.running(namespace)}):
                yield _chosen(account)
        unknown = "a pod runs as it" if kind == "pods" else ""
        for account in self._accounts(namespace):
            if place_of(account)[0] not in known:
                yield _chosen(account, unknown)
        if kind == "accounts" and namespace in ("", SYSTEM):
            yield _chosen(CONTROLLER)

    def _accounts(self, namespace: str) -> list[str]:
        cluster = self.cluster
        return cluster.accounts_in.get(namespace, []) if namespace else sorted(cluster.accounts)

    def _scoped(self, node: str, grants: list[RuleGrant], scope: str) -> Iterator[PathStep]:
        """Yield the steps by the rights in one namespace, or in all (`scope` empty)."""
        rights = _Rights(node, grants, scope)
        for technique in TECHNIQUES:
            used = rights.all_of(technique.needs)
            if used is not None:
                yield from self._by_table(rights, technique, used)
        yield from self._read_secrets(rights)
        yield from self._on_nodes(rights)
        yield from self._roles(rights)
        yield from self._binds(rights)
        yield from self._impersonates(rights)
        if not scope:
            yield from _cluster_wide(rights)
        if scope in ("", SYSTEM) and self.cluster.eks:
            used = rights.all_of((ClusterNeed((("update patch", "", "configmaps"),), "aws-auth"),))
            if used is not None:
                yield rights.step(
                    "aws-auth", ADMIN, "map itself to an administrator in ConfigMap `aws-auth`", used
                )

    def _by_table(
        self, rights: _Rights, technique: ClusterTechnique, used: Sequence[_Used]
    ) -> Iterator[PathStep]:
        where = f" in namespace {quoted(rights.scope)}" if rights.scope else ""
        says = f"{technique.says} {CHOSEN}{where}"
        names = used[0].names if technique.named else None
        if names is None:
            yield rights.step(
                technique.name, f"{technique.target}:{rights.scope}", says, used, technique.unknown
            )
        for name in sorted(names or ()):
            for account in self._accounts_named(name, rights.scope):
                yield rights.step(technique.name, account, says, used, technique.unknown)
        if technique.target == "pods" and (
            rights.scope in self._privileged if rights.scope else self._privileged
        ):
            says = f"{technique.says.removesuffix('as')}with privileges over its node{where}"
            yield rights.step(technique.name, NODES, says, used, technique.unknown)

    def _accounts_named(self, name: str, scope: str) -> list[str]:
        if scope:
            return [f"{ACCOUNT}{scope}:{name}"]
        return self.cluster.accounts_named.get(name, [])

    def _read_secrets(self, rights: _Rights) -> Iterator[PathStep]:
        listing = rights.all_of((ClusterNeed((("list watch", "", "secrets"),)),))
        # A patch is answered with the secret that it leaves.
        used = listing or rights.all_of((ClusterNeed((("get patch", "", "secrets"),)),))
        if used is None:
            return
        names, scope = used[0].names, rights.scope
        unknown = "" if listing else "it knows the names of secrets"
        if names is None and scope in ("", SYSTEM):
            goal = SYSTEM_SECRETS if scope else SECRETS
            yield rights.step("read-secrets", goal, f"read {NAMES[goal]}", used, unknown)
        says = f"read the token of {CHOSEN} in a secret"
        if names is None:
            # Names of token secrets stand in the service accounts that own them.
            yield rights.step("read-secrets", f"tokens:{scope}", says, used)
        for token in (t for name in sorted(names or ()) for t in self.cluster.tokens_named.get(name, ())):
            if scope in ("", token[0]):
                yield rights.step("read-secrets", self.cluster.tokens[token], says, used)

    def _on_nodes(self, rights: _Rights) -> Iterator[PathStep]:
        scope = rights.scope
        used = rights.all_of((WORKLOAD,))
        if used is None:
            return
        where = f" in namespace {quoted(scope)}" if scope else ""
        relabel = rights.meets(ClusterNeed((("update patch", "", "namespaces"),), scope))
        unknown = self._admission(scope, relabel is not None)
        if unknown is not None:
            says = f"run a privileged pod{where} and control its node"
            yield rights.step("privileged-pod", NODES, says, used, unknown)
        volumes = rights.all_of((VOLUME, CLAIM, WORKLOAD))
        if volumes is not None:
            says = f"mount a directory of a node through a PersistentVolume of type hostPath{where}"
            yield rights.step("host-volume", NODES, says, volumes)

    def _admission(self, scope: str, relabel: bool) -> str | None:
        """Return what is unknown of running privileged pods in a namespace; None where labels forbid it."""
        known = self.cluster.namespaces
        labels = [known[scope]] if scope in known else list(known.values()) if not scope else []
        if scope in ("", SYSTEM) and SYSTEM not in known:
            # No cluster is set up with such a label there.
            labels.append({})
        forbidden = [n.get("pod-security.kubernetes.io/enforce") in _FORBIDDING for n in labels]
        if forbidden and all(forbidden) and not relabel:
            return None
        if self.cluster.policies:
            return "no admission policy forbids privileged pods"
        return "" if forbidden else "no Pod Security label or admission policy forbids privileged pods"

    def _roles(self, rights: _Rights) -> Iterator[PathStep]:
        resource = "roles" if rights.scope else "clusterroles"
        used = rights.all_of(
            (ClusterNeed((("escalate", RBAC, resource),)), ClusterNeed((("update patch", RBAC, resource),)))
        )
        if used is None:
            return
        bound = {
            binding.role
            for member in (rights.node, *groups_of(rights.node))
            for binding in self.cluster.bindings_of.get(member, ())
            if binding.namespace == rights.scope
            and (binding.role_kind == "ClusterRole") == (not rights.scope)
        }
        changed = sorted(name for name in bound if all(u.names is None or name in u.names for u in used))
        if changed:
            kind = "Role" if rights.scope else "ClusterRole"
            target = f"namespace:{rights.scope}" if rights.scope else ADMIN
            says = f"add every right to {kind} {quoted(changed[0])}, which it holds"
            yield rights.step("escalate", target, says, used)

    def _binds(self, rights: _Rights) -> Iterator[PathStep]:
        yield from self._bind(rights, "ClusterRole", "rolebindings")
        if rights.scope:
            yield from self._bind(rights, "Role", "rolebindings")
        else:
            yield from self._bind(rights, "ClusterRole", "clusterrolebindings")

    def _bind(self, rights: _Rights, kind: str, resource: str) -> Iterator[PathStep]:
        bind = ClusterNeed((("bind", RBAC, f"{kind.lower()}s"),))
        # A binding of all namespaces is worth most where the controllers run.
        scope = "" if resource == "clusterrolebindings" else rights.scope or SYSTEM
        used = rights.all_of((bind, ClusterNeed((("create", RBAC, resource),))))
        bindings = [b for b in self.cluster.bindings_in.get(scope, ()) if b.role_kind == kind]
        if used is not None:
            free = {"cluster-admin"} if kind == "ClusterRole" else {b.role for b in bindings}
            for name in sorted(free if used[0].names is None else used[0].names):
                yield self._bound(rights, used, kind, name, scope, "create a binding that gives itself")
            return
        used = rights.all_of((bind, ClusterNeed((("update patch", RBAC, resource),))))
        self._compared += len(bindings)
        for binding in bindings if used is not None and self._compared < _MOST_COMPARISONS else ():
            if used and _named(used[0], binding.role) and _named(used[1], binding.name):
                says = f"add itself to binding {quoted(binding.name)} of"
                yield self._bound(rights, used, kind, binding.role, scope, says)

    def _bound(
        self, rights: _Rights, used: Sequence[_Used], kind: str, name: str, scope: str, says: str
    ) -> PathStep:
        rules = self.cluster.rules(kind, name, scope)
        if any(rule.everything for rule in rules):
            target = f"namespace:{scope}" if scope else ADMIN
        else:
            target = f"role:{kind}:{name}@{scope}"
        where = f" in namespace {quoted(scope)}" if scope else ""
        return rights.step("bind", target, f"{says} {kind} {quoted(name)}{where}", used)

    def _impersonates(self, rights: _Rights) -> Iterator[PathStep]:
        accounts = rights.all_of((ClusterNeed((("impersonate", "", "serviceaccounts"),)),))
        if accounts is not None:
            where, names = f" in namespace {quoted(rights.scope)}" if rights.scope else "", accounts[0].names
            says = f"impersonate {CHOSEN}{where}"
            if names is None:
                yield rights.step("impersonate", f"accounts:{rights.scope}", says, accounts)
            for name in sorted(names or ()):
                for account in self._accounts_named(name, rights.scope):
                    yield rights.step("impersonate", account, says, accounts)
        if rights.scope:
            return
        users = rights.all_of((IMPERSONATE,))
        if users is not None:
            known = [s for s in self.cluster.grants if s.startswith(USER)] + [CONTROLLER_USER]
            for user in sorted(set(known)):
                if _named(users[0], user.removeprefix(USER)):
                    yield rights.step("impersonate", user, f"impersonate {CHOSEN}", users)
        groups = rights.all_of((ClusterNeed((("impersonate", "", "groups"),)),))
        anyone = users or accounts
        if groups is not None and anyone is not None:
            known = [s for s in self.cluster.grants if s.startswith(GROUP)] + [MASTERS]
            for group in sorted(set(known)):
                if _named(groups[0], group.removeprefix(GROUP)):
                    says = f"impersonate a member of {CHOSEN}"
                    yield rights.step("impersonate", group, says, [*groups, *anyone])


class _Rights:
    """The grants of a node that count in one namespace, or in all."""

    def __init__(self, node: str, grants: list[RuleGrant], scope: str) -> None:
        self.node, self.scope = node, scope
        self._grants = sorted(grants, key=lambda g: (g.subject != node, g.builtin, bool(g.rule.names), g.by))

    def all_of(self, needs: Sequence[ClusterNeed]) -> list[_Used] | None:
        """Return what meets all needs; None where one is unmet, or none of it belongs to the namespace."""
        used = [found for need in needs if (found := self.meets(need)) is not None]
        if len(used) < len(needs):
            return None
        here = any(g.namespace == self.scope for u in used for g in u.grants)
        return used if here else None

    def step(
        self, technique: str, target: str, says: str, used: Iterable[_Used], unknown: str = ""
    ) -> PathStep:
        """Return a step that rests on grants."""
        # The first grant of each need suffices, and is the most telling one.
        grants = [u.grants[0] for u in used]
        by = "; ".join(dict.fromkeys(g.by for g in grants if g.by))
        return PathStep(
            technique=technique,
            target=target,
            says=says,
            by=by,
            remediation=REMEDIATIONS[technique],
            unknown=unknown,
            places=tuple(dict.fromkeys(g.place for g in grants if g.place.file)),
            own=any(g.subject == self.node and not g.builtin for g in grants),
        )

    def meets(self, need: ClusterNeed) -> _Used | None:
        """Return the grants that meet a need, wherever they are from."""
        grants: list[RuleGrant] = []
        verbs: set[str] = set()
        for grant in self._grants:
            if need.cluster and grant.namespace:
                continue
            names = grant.rule.names
            for wanted, group, resource in need.any:
                permitted = [verb for verb in wanted.split() if grant.rule.permits(verb, group, resource)]
                if names and "/" not in resource:
                    # A request to create an object has no name yet, so a rule with names permits none.
                    permitted = [verb for verb in permitted if verb != "create"]
                if permitted and (not need.name or not names or need.names & names):
                    grants.append(grant)
                    verbs.update(permitted)
                    break
        if not grants:
            return None
        free = [grant for grant in grants if not grant.rule.names]
        limited = frozenset(name for grant in grants for name in grant.rule.names)
        chosen = free or grants
        here = [grant for grant in chosen if grant.namespace == self.scope]
        ordered = here + [grant for grant in chosen if grant.namespace != self.scope]
        return _Used(tuple(ordered), None if free else limited, frozenset(verbs))


def _named(used: _Used, name: str) -> bool:
    return used.names is None or name in used.names


def _chosen(target: str, unknown: str = "") -> PathStep:
    return PathStep(technique="choose", target=target, unknown=unknown, choice=True)


def _cluster_wide(rights: _Rights) -> Iterator[PathStep]:
    """Yield the steps by rights over objects that have no namespace."""
    proxy = rights.all_of((ClusterNeed((("get create", "", "nodes/proxy"),), cluster=True),))
    if proxy is not None:
        yield rights.step(
            "node-proxy", NODES, "run commands in each pod through the kubelet of its node", proxy
        )
    certificates = rights.all_of(CSR)
    if certificates is not None:
        says = "have a certificate of `system:kube-controller-manager` signed, or of any user"
        yield rights.step("certificate", ADMIN, says, certificates)
    hooks = rights.all_of((WEBHOOK,))
    if hooks is not None:
        yield rights.step(
            "webhook", OBJECTS, "have each object sent to a webhook of its choice, and change it", hooks
        )
    # A taint drives pods away at once; a node's status only keeps new ones away.
    moved = rights.all_of((ClusterNeed((("update patch", "", "nodes"),)),)) or rights.all_of(
        (DRIVE_AWAY, ClusterNeed((("update patch", "", "nodes/status"),)))
    )
    if moved is not None:
        says = "drive pods from other nodes onto one that it controls"
        yield rights.step("move-pods", MOVED, says, moved, "it controls a node")


def _names_cover(mine: RuleGrant, other: RuleGrant) -> bool:
    names = mine.rule.names
    return not names or bool(other.rule.names and other.rule.names <= names)
