# SPDX-License-Identifier: Apache-2.0
"""Rules of roles, what they permit, and the roles that each cluster has.

Source: Kubernetes, `pkg/apis/rbac` (matching) and "Default roles and role bindings".
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.discovery.privileges.values import objects, texts
from remit.core.json_value import Json

RBAC: Final = "rbac.authorization.k8s.io"


class RoleRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule about resources. Empty `names` are all names."""

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    names: frozenset[str] = frozenset()

    def permits(self, verb: str, group: str, resource: str) -> bool:
        """Return whether it permits a verb on some object of a resource, such as `pods` or `pods/exec`.

        `*/exec` is the subresource of every resource. `pods/*` has no meaning in RBAC, and `pods` is none of
        its subresources.
        """
        if not ({"*", verb} & self.verbs and {"*", group} & self.groups):
            return False
        _, _, sub = resource.partition("/")
        return bool({"*", resource, f"*/{sub}" if sub else "*"} & self.resources)

    @property
    def everything(self) -> bool:
        """Whether it permits every verb on every resource."""
        return not self.names and all("*" in part for part in (self.groups, self.resources, self.verbs))

    def covers(self, other: RoleRule) -> bool:
        """Return whether it alone permits all that another rule permits."""
        if self.names and not (other.names and other.names <= self.names):
            return False
        return all(
            "*" in mine or theirs <= mine
            for mine, theirs in (
                (self.groups, other.groups),
                (self.resources, other.resources),
                (self.verbs, other.verbs),
            )
        )


def rules_of(role: dict[str, Json]) -> tuple[RoleRule, ...]:
    """Return the rules of a role about objects; `nonResourceURLs` are none."""
    return tuple(
        RoleRule(
            groups=frozenset(texts(rule, "apiGroups")),
            resources=frozenset(texts(rule, "resources")),
            verbs=frozenset(texts(rule, "verbs")),
            names=frozenset(texts(rule, "resourceNames")),
        )
        for rule in objects(role, "rules")
        if texts(rule, "resources")
    )


def _rule(group: str, resources: str, verbs: str) -> RoleRule:
    return RoleRule(
        groups=frozenset({"" if group == "core" else group}),
        resources=frozenset(resources.split()),
        verbs=frozenset(verbs.split()),
    )


EVERYTHING: Final = RoleRule(groups=frozenset("*"), resources=frozenset("*"), verbs=frozenset("*"))
_WRITE: Final = "create update patch delete deletecollection get list watch"
_EDIT: Final = (
    _rule("core", "pods replicationcontrollers services configmaps persistentvolumeclaims", _WRITE),
    _rule("core", "pods/exec pods/attach pods/portforward pods/proxy services/proxy", "create get"),
    _rule("core", "secrets serviceaccounts", _WRITE),
    _rule("core", "serviceaccounts", "impersonate"),
    _rule("core", "serviceaccounts/token pods/eviction", "create"),
    _rule("apps", "deployments daemonsets statefulsets replicasets", _WRITE),
    _rule("batch", "jobs cronjobs", _WRITE),
)
#: The ClusterRoles that each cluster has and manifests name without defining; reading is left out.
DEFAULT_ROLES: Final[dict[str, tuple[RoleRule, ...]]] = {
    "cluster-admin": (EVERYTHING,),
    "admin": (*_EDIT, _rule(RBAC, "roles rolebindings", _WRITE)),
    "edit": _EDIT,
}
