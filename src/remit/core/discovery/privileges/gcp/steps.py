# SPDX-License-Identifier: Apache-2.0
"""The steps by which members of allow policies gain other rights.

Facts: Google, "Roles for service account authentication", "Service account impersonation"; published studies
of escalation in Google Cloud. A workload runs only as a service account of its own project: that is the
default of `constraints/iam.disableCrossProjectServiceAccountUsage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from remit.core.discovery.privileges.gcp.hierarchy import ACCOUNT, HeldBinding, Hierarchy, PolicyBinding
from remit.core.discovery.privileges.gcp.roles import grants, is_harmless
from remit.core.discovery.privileges.paths import CHOSEN, PathStep
from remit.core.discovery.privileges.values import quoted
from remit.core.findings.kinds import Severity

#: A permission on a service account that lets its holder act as it, by technique.
_ON_ACCOUNTS: Final = {
    "access-token": ("iam.serviceAccounts.getAccessToken", "get an access token of"),
    "sign-jwt": ("iam.serviceAccounts.signJwt", "sign a token request as"),
    "sign-blob": ("iam.serviceAccounts.signBlob", "sign a token request as"),
    "create-key": ("iam.serviceAccountKeys.create", "create a key of"),
    "account-policy": ("iam.serviceAccounts.setIamPolicy", "give itself the right to act as"),
}
_TOKENS: Final = ("access-token", "sign-jwt", "sign-blob")
_DELEGATE: Final = "iam.serviceAccounts.implicitDelegation"
_ACT_AS: Final = "iam.serviceAccounts.actAs"
#: Permissions that run code of one's own as a service account that one may act as: all of one alternative.
_HOSTS: Final = (
    "compute.instances.create",
    "compute.instances.setMetadata",
    "compute.instances.setServiceAccount compute.instances.osAdminLogin",
    "compute.instances.osAdminLogin",
    "cloudfunctions.functions.create",
    "cloudfunctions.functions.update",
    "run.services.create",
    "run.services.update",
    "run.jobs.create run.jobs.run",
    "run.jobs.update run.jobs.run",
    "cloudbuild.builds.create",
    "cloudscheduler.jobs.create",
    "dataflow.jobs.create",
    "dataproc.clusters.create",
    "composer.environments.create",
    "notebooks.instances.create",
    "aiplatform.customJobs.create",
)
#: Permissions at a project that make one of its agents act, with the end of the agent's address.
_BY_AGENTS: Final = {
    "deployment-manager": (
        ("deploymentmanager.deployments.create", "deploymentmanager.deployments.update"),
        "@cloudservices.gserviceaccount.com",
        "deploy resources as",
    ),
    "cloud-build": (("cloudbuild.builds.create",), "@cloudbuild.gserviceaccount.com", "run a build as"),
}
_AGENT_ENDS: Final = tuple(end for _, end, _ in _BY_AGENTS.values())
_POLICIES: Final = {
    "projects": "resourcemanager.projects.setIamPolicy",
    "folders": "resourcemanager.folders.setIamPolicy",
    "organizations": "resourcemanager.organizations.setIamPolicy",
}
_PROVIDERS: Final = ("iam.workloadIdentityPoolProviders.create", "iam.workloadIdentityPoolProviders.update")
OWNER: Final = "roles/owner"
EDITOR: Final = "roles/editor"
#: Most service accounts that a delegation is followed to.
_MOST_DELEGATES: Final = 200
#: What takes each step away, by technique.
REMEDIATIONS: Final = {
    "set-policy": "remove the role, or limit by a condition which roles it may grant",
    "access-token": "grant Service Account Token Creator on single service accounts, not on the project",
    "sign-jwt": "remove `iam.serviceAccounts.signJwt`, or grant it on single service accounts",
    "sign-blob": "remove `iam.serviceAccounts.signBlob`, or grant it on single service accounts",
    "implicit-delegation": "remove `iam.serviceAccounts.implicitDelegation`",
    "create-key": "enforce `constraints/iam.disableServiceAccountKeyCreation`, or remove the role",
    "account-policy": "remove `iam.serviceAccounts.setIamPolicy`, or grant it on single service accounts",
    "act-as": "grant Service Account User on single service accounts, not on the project",
    "deployment-manager": "remove the role, or take Editor from the Google APIs service agent",
    "cloud-build": "remove the role, or let builds run as a service account with few rights",
    "role-update": "remove `iam.roles.update`",
    "identity-provider": "remove the right to change providers of the workload identity pool",
}


class HierarchySteps:
    """The steps of each node: a member of policies, or `owner:RESOURCE`."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self.owners: dict[str, list[PolicyBinding]] = {}
        self.editors: dict[str, list[PolicyBinding]] = {}
        for member, bindings in hierarchy.bindings.items():
            for binding in bindings:
                if binding.condition or binding.resource.startswith("serviceAccounts/"):
                    continue
                if grants(binding.patterns, "*"):
                    self.owners.setdefault(member, []).append(binding)
                elif binding.role == EDITOR:
                    self.editors.setdefault(member, []).append(binding)
        self.weights = {
            **{
                f"owner:{b.resource}": Severity.CRITICAL
                for found in hierarchy.bindings.values()
                for b in found
            },
            **dict.fromkeys(self.editors, Severity.HIGH),
            **dict.fromkeys(self.owners, Severity.CRITICAL),
        }
        self._accounts: dict[str, list[str]] = {}
        for account, project in sorted(hierarchy.accounts.items()):
            # Google's own agents belong to projects of Google: a role on this one is none on them.
            managed = not hierarchy.is_agent(account) and not account.endswith(_AGENT_ENDS)
            for ancestor in hierarchy.ancestors(project) if managed and project else ():
                self._accounts.setdefault(ancestor, []).append(account)
        self._pools = {
            member: hierarchy.project_named(member.partition("/projects/")[2].partition("/")[0])
            for member in sorted(hierarchy.bindings)
            if "://iam.googleapis.com/projects/" in member and "/workloadIdentityPools/" in member
        }
        self._pools = {member: project for member, project in self._pools.items() if project}
        self._agents = sorted(
            m for m in hierarchy.bindings if m.startswith(ACCOUNT) and m.endswith(_AGENT_ENDS)
        )

    def steps_of(self, node: str) -> list[PathStep]:
        """Return the steps that a node permits."""
        if node in self.owners or node.startswith("owner:"):
            return []
        return [
            *self._policies(node),
            *self._on_accounts(node),
            *self._by_agents(node),
            *self._providers(node),
        ]

    def gains(self, start: str, target: str) -> bool:
        """Return whether a target has a role worth gaining that the start lacks."""
        mine = self.hierarchy.bindings.get(start, [])
        return any(not self._covered(mine, binding) for binding in self.hierarchy.bindings.get(target, ()))

    def holds(self, start: str, target: str) -> bool:
        """Return whether a start has all that a goal would give it."""
        if target.startswith("owner:"):
            chain = self.hierarchy.ancestors(target.partition(":")[2])
            return any(b.resource in chain for b in self.owners.get(start, ()))
        return not self.gains(start, target)

    def name_of(self, node: str) -> str:
        """Return the name of a node for people."""
        if node.startswith("owner:"):
            return f"owner of {node.partition(':')[2]}"
        owned = self.owners.get(node, ())
        return node.removeprefix(ACCOUNT) + (f" (owner of {owned[0].resource})" if owned else "")

    def _policies(self, member: str) -> Iterator[PathStep]:
        hierarchy = self.hierarchy
        for binding in hierarchy.bindings.get(member, ()):
            resource = binding.resource
            permission = _POLICIES.get(resource.partition("/")[0], "")
            levels = [permission] if permission else []
            if resource.startswith(("folders/", "organizations/")):
                levels += ["resourcemanager.projects.setIamPolicy"]
            for wanted in levels:
                held = (
                    hierarchy.permitted(member, wanted, resource)
                    if grants(binding.patterns, wanted)
                    else None
                )
                if held:
                    below = "" if wanted == permission else "each project in "
                    says = f"make itself owner of {below}{quoted(resource)} in its policy"
                    yield _step("set-policy", f"owner:{resource}", says, [held])
                    break
            # A custom role can be changed where it was made.
            home = binding.role.partition("/roles/")[0]
            if binding.role in hierarchy.custom and home and not binding.role.startswith("roles/"):
                held = hierarchy.permitted(member, "iam.roles.update", home)
                if held:
                    says = f"add every permission to its role {quoted(binding.role)}"
                    yield _step("role-update", f"owner:{resource}", says, [held])

    def _on_accounts(self, member: str) -> Iterator[PathStep]:
        hierarchy = self.hierarchy
        for account in (a for a in self._reached(member) if a not in hierarchy.disabled):
            if hierarchy.exhausted:
                return
            at = f"serviceAccounts/{account.removeprefix(ACCOUNT)}"
            token = ""
            for technique, (permission, says) in _ON_ACCOUNTS.items():
                held = hierarchy.permitted(member, permission, at)
                if held is None or (technique == "create-key" and self._keyless(at)):
                    continue
                # One role brings all ways to a token of an account: the first one stands for them.
                if technique in _TOKENS and token:
                    continue
                token = token or (technique if technique in _TOKENS else "")
                yield _step(technique, account, f"{says} {CHOSEN}", [held])
            acting = hierarchy.permitted(member, _ACT_AS, at)
            hosting = self._hosting(member, hierarchy.accounts.get(account, "")) if acting else None
            if acting and hosting:
                yield _step("act-as", account, f"run a program as {CHOSEN}", [acting, *hosting])
            delegating = None if token == "access-token" else hierarchy.permitted(member, _DELEGATE, at)
            for further in self._reached(account)[:_MOST_DELEGATES] if delegating else ():
                there = f"serviceAccounts/{further.removeprefix(ACCOUNT)}"
                if hierarchy.permitted(account, "iam.serviceAccounts.getAccessToken", there) and delegating:
                    says = f"get an access token of {CHOSEN} through {quoted(account.removeprefix(ACCOUNT))}"
                    yield _step("implicit-delegation", further, says, [delegating])

    def _reached(self, member: str) -> list[str]:
        """Return the service accounts that the member's bindings are about, at them or above them."""
        found: set[str] = set()
        for binding in self.hierarchy.bindings.get(member, ()):
            kind, _, name = binding.resource.partition("/")
            if kind == "serviceAccounts":
                found.add(ACCOUNT + name)
            elif any(grants(binding.patterns, p) for p in _ABOUT_ACCOUNTS):
                unknown_tree = kind == "organizations" or (
                    kind == "folders" and binding.resource not in self._accounts
                )
                found.update(
                    self.hierarchy.accounts if unknown_tree else self._accounts.get(binding.resource, ())
                )
        return sorted(found - {member})

    def _hosting(self, member: str, project: str) -> list[HeldBinding] | None:
        for alternative in _HOSTS if project else ():
            held = [
                self.hierarchy.permitted(member, permission, project) for permission in alternative.split()
            ]
            found = [h for h in held if h is not None]
            if len(found) == len(held):
                return found
        return None

    def _by_agents(self, member: str) -> Iterator[PathStep]:
        for technique, (permissions, end, says) in _BY_AGENTS.items():
            for agent in self._agents:
                project = self.hierarchy.accounts.get(agent, "") if agent.endswith(end) else ""
                held = [self.hierarchy.permitted(member, p, project) for p in permissions if project]
                found = next((h for h in held if h is not None), None)
                if found:
                    yield _step(technique, agent, f"{says} {CHOSEN}", [found])

    def _providers(self, member: str) -> Iterator[PathStep]:
        """Yield the steps to members of a workload identity pool, whose providers say who they are."""
        for other, project in self._pools.items():
            held = [self.hierarchy.permitted(member, p, project) for p in _PROVIDERS]
            found = next((h for h in held if h is not None), None)
            if found:
                yield _step(
                    "identity-provider", other, f"have its own provider vouch for it as {CHOSEN}", [found]
                )

    def _keyless(self, at: str) -> bool:
        return "" in self.hierarchy.keyless or any(
            a in self.hierarchy.keyless for a in self.hierarchy.ancestors(at)
        )

    def _covered(self, mine: Sequence[PolicyBinding], other: PolicyBinding) -> bool:
        if not other.patterns and is_harmless(other.role):
            return True
        chain = self.hierarchy.ancestors(other.resource)
        near = [b for b in mine if b.resource in chain and not b.condition]
        if any(b.role == other.role for b in near):
            return True
        return bool(other.patterns) and all(
            any(p in b.patterns or grants(b.patterns, p) for b in near) for p in other.patterns
        )


_ABOUT_ACCOUNTS: Final = (
    *(permission for permission, _ in _ON_ACCOUNTS.values()),
    _ACT_AS,
    _DELEGATE,
)


def _step(technique: str, target: str, says: str, held: Sequence[HeldBinding]) -> PathStep:
    unknowns = dict.fromkeys(h.unknown for h in held if h.unknown)
    bindings = [h.binding for h in held if h.binding.place.file]
    return PathStep(
        technique=technique,
        target=target,
        says=says,
        by="; ".join(dict.fromkeys(b.says for b in bindings)),
        remediation=REMEDIATIONS[technique],
        unknown=" and ".join(unknowns),
        places=tuple(dict.fromkeys(b.place for b in bindings)),
    )
