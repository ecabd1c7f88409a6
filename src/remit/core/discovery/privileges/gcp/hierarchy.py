# SPDX-License-Identifier: Apache-2.0
"""An organization's resources as exports of `gcloud` describe them, and what is permitted there.

Source: Google, "Policy evaluation", "Deny policies", "Cloud Asset Inventory".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

import msgspec

from remit.core.discovery.declared import PermissionExport
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.gcp.roles import PREDEFINED, grants
from remit.core.discovery.privileges.values import mapping, objects, quoted, text, texts
from remit.core.json_value import Json

ACCOUNT: Final = "serviceAccount:"
PUBLIC: Final = ("allUsers", "allAuthenticatedUsers")
_DEEPEST_LIST: Final = 4
_DEEPEST_TREE: Final = 12
#: Most questions whether something is permitted; what is not asked is not reported.
_MOST_QUESTIONS: Final = 2_000_000
_ENDS: Final = re.compile(r'request\.time\s*<\s*timestamp\("([0-9T:.Z+-]{10,40})"\)')
_EMAIL: Final = re.compile(r"[\w.-]{1,100}@[\w.-]{1,100}\.gserviceaccount\.com")
_PROJECT_OF: Final = re.compile(
    r"@([a-z0-9-]{1,63})\.iam\.gserviceaccount\.com$|^([a-z0-9-]{1,63})@appspot\."
)
#: What Google's own agents are called; their rights are the platform's.
_AGENTS: Final = re.compile(r"^service-\d+@|@cloudservices\.gserviceaccount\.com$|@gcp-sa-")
#: Roles that are given at an organization alone.
_OF_ORGANIZATIONS: Final = (
    "roles/resourcemanager.organizationAdmin",
    "roles/resourcemanager.projectCreator",
    "roles/billing.creator",
)
_KEYS_DISABLED: Final = "iam.disableServiceAccountKeyCreation"


class PolicyBinding(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A role that a member has at a resource and below."""

    member: str
    role: str
    resource: str
    patterns: frozenset[str]
    condition: str
    place: FilePlace

    @property
    def says(self) -> str:
        """The binding in words."""
        return f"it has {quoted(self.role)} on {quoted(self.resource)}"


class _Denial(msgspec.Struct, frozen=True, kw_only=True):
    resource: str
    principals: tuple[str, ...]
    excepted: tuple[str, ...]
    permissions: frozenset[str]
    spared: frozenset[str]
    conditional: bool


class HeldBinding(msgspec.Struct, frozen=True):
    """A binding that permits something, and what is unknown of it."""

    binding: PolicyBinding
    unknown: str


class Hierarchy:
    """What the exports say, with lookups. Their order does not matter.

    Resources are `organizations/ID`, `folders/ID`, `projects/ID` and `serviceAccounts/EMAIL`.
    """

    def __init__(self, exports: Sequence[PermissionExport], now: datetime) -> None:
        self.bindings: dict[str, list[PolicyBinding]] = {}
        self.accounts: dict[str, str] = {}
        self.users: dict[str, dict[str, FilePlace]] = {}
        self.custom: dict[str, frozenset[str]] = {}
        self.keyless: set[str] = set()
        self.disabled: set[str] = set()
        self._files: dict[str, str] = {}
        self._now = now
        self._parents: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._denials: list[_Denial] = []
        self._questions = 0
        items = [(item, e.place) for e in exports for item in _listed(e.document)]
        for item, place in items:
            self._learn(item, place)
        for item, place in items:
            self._read(item, place)
        self.bindings = {m: sorted(set(b), key=_ordered) for m, b in self.bindings.items()}
        for member in self.bindings:
            if member.startswith(ACCOUNT) and member not in self.accounts:
                self.accounts[member] = self.project_of(member)

    def ancestors(self, resource: str) -> list[str]:
        """Return a resource and what contains it, as far as known."""
        found = [resource]
        while len(found) < _DEEPEST_TREE:
            last = found[-1]
            if last.startswith("serviceAccounts/"):
                parent = self.accounts.get(ACCOUNT + last.partition("/")[2], "")
            else:
                parent = self._parents.get(last, "")
            if not parent or parent in found:
                break
            found.append(parent)
        return found

    def project_of(self, member: str) -> str:
        """Return the project of a service account by its address, or by the one policy that names it."""
        email = member.removeprefix(ACCOUNT)
        found = _PROJECT_OF.search(email)
        if found:
            return f"projects/{found[1] or found[2]}"
        number = re.match(r"\d{1,30}", email)
        if number and number[0] in self._numbers:
            return self._numbers[number[0]]
        own = {b.resource for b in self.bindings.get(member, ()) if b.resource.startswith("projects/")}
        return own.pop() if len(own) == 1 else ""

    @property
    def exhausted(self) -> bool:
        """Whether no further question is answered."""
        return self._questions > _MOST_QUESTIONS

    def project_named(self, number: str) -> str:
        """Return the project of a number or an id; empty where its number is not known."""
        return self._numbers.get(number, "" if number.isdigit() else f"projects/{number}")

    def permitted(
        self, member: str, permission: str, at: str, more: Iterable[PolicyBinding] = ()
    ) -> HeldBinding | None:
        """Return the binding that permits a member something at a resource, the certain one first."""
        best: HeldBinding | None = None
        self._questions += 1
        if self.exhausted:
            return None
        chain = self.ancestors(at)
        for binding in (*self.bindings.get(member, ()), *more):
            self._questions += 1
            unknown = self._above(binding.resource, chain)
            if unknown is None or not grants(binding.patterns, permission):
                continue
            denied = self._denied(member, permission, chain)
            if denied is None:
                return best
            condition = f"the condition {quoted(binding.condition)} holds" if binding.condition else ""
            unknown = " and ".join(u for u in (condition, denied, unknown) if u)
            if not unknown:
                return HeldBinding(binding, "")
            best = best or HeldBinding(binding, unknown)
        return best

    def is_agent(self, member: str) -> bool:
        """Return whether a member is one of Google's own agents."""
        return member.startswith(ACCOUNT) and bool(_AGENTS.search(member.removeprefix(ACCOUNT)))

    def _above(self, resource: str, chain: Sequence[str]) -> str | None:
        """Return what is unknown of a resource containing another one; None if it does not."""
        if resource in chain:
            return ""
        if resource.startswith("organizations/") and not chain[-1].startswith("organizations/"):
            return ""
        if resource.startswith("folders/") and chain[-1].startswith("projects/"):
            return f"{quoted(chain[-1])} is in {quoted(resource)}"
        return None

    def _denied(self, member: str, permission: str, chain: Sequence[str]) -> str | None:
        """Return None if a deny policy applies for certain, else what is unknown."""
        unknown = ""
        for denial in self._denials:
            self._questions += 1
            if self._above(denial.resource, chain) is None or not grants(denial.permissions, permission):
                continue
            if grants(denial.spared, permission):
                continue
            included, excepted = _among(member, denial.principals), _among(member, denial.excepted)
            if included is False or excepted is True:
                continue
            if included is True and excepted is False and not denial.conditional:
                return None
            unknown = "a deny policy does not apply to it"
        return unknown

    def _learn(self, item: dict[str, Json], place: FilePlace) -> None:
        """Learn what names mean: projects, parents, roles and service accounts."""
        project = text(item, "projectId")
        if project and not text(item, "email"):
            parent = mapping(item, "parent")
            if text(parent, "id"):
                self._parents[f"projects/{project}"] = f"{text(parent, 'type')}s/{text(parent, 'id')}"
            if number := text(item, "projectNumber"):
                self._numbers[number] = f"projects/{project}"
        email = text(item, "email")
        if email.endswith("gserviceaccount.com"):
            if item.get("disabled") is True:
                self.disabled.add(ACCOUNT + email)
            self.accounts[ACCOUNT + email] = (
                f"projects/{project}" if project else self.project_of(ACCOUNT + email)
            )
            # The unique id and the number of a default account are the project's own words for it.
            default = re.match(r"(\d{1,30})-compute@", email)
            if default and project:
                self._numbers[default[1]] = f"projects/{project}"
        name = text(item, "name")
        if isinstance(item.get("includedPermissions"), list) and "roles/" in name:
            known = self.custom.get(name, frozenset())
            self.custom[name] = known | frozenset(texts(item, "includedPermissions"))
        if name.startswith("folders/") and text(item, "parent"):
            self._parents[name] = text(item, "parent")
        chain = [_resource(a) for a in texts(item, "ancestors")]
        self._parents.update(pairwise(chain))

    def _read(self, item: dict[str, Json], place: FilePlace) -> None:
        if isinstance(item.get("bindings"), list):
            self._bind(item, self._named(item, place), place)
        elif policy := mapping(item, "policy") or mapping(item, "iamPolicy") or mapping(item, "iam_policy"):
            kind = text(item, "type")
            name = f"{kind}s/{text(item, 'id')}" if kind else text(item, "resource") or text(item, "name")
            self._bind(policy, self._numbers.get(name.rpartition("/")[2], _resource(name)), place)
        elif isinstance(item.get("rules"), list) and "/denypolicies/" in text(item, "name"):
            self._denials += self._read_denials(item)
        elif _KEYS_DISABLED in (text(item, "constraint") or text(item, "name")):
            rules = objects(item, "spec", "rules")
            if mapping(item, "booleanPolicy").get("enforced") is True or any(
                r.get("enforce") is True for r in rules
            ):
                name = text(item, "name").partition("/policies/")[0]
                self.keyless.add(name if "/" in name else "")
        else:
            self._use(item, place)

    def _use(self, item: dict[str, Json], place: FilePlace) -> None:
        """Note which service accounts a workload runs as."""
        emails = [text(account, "email") for account in objects(item, "serviceAccounts")]
        emails += [text(item, "serviceAccountEmail"), text(item, "serviceConfig", "serviceAccountEmail")]
        emails.append(text(item, "spec", "template", "spec", "serviceAccountName"))
        name = text(item, "name") or text(item, "metadata", "name")
        for email in emails:
            if email.endswith("gserviceaccount.com") and name and not text(item, "email"):
                self.users.setdefault(ACCOUNT + email, {})[name.rpartition("/")[2]] = place

    def _bind(self, policy: dict[str, Json], resource: str, place: FilePlace) -> None:
        for binding in objects(policy, "bindings"):
            role, condition = text(binding, "role"), mapping(binding, "condition")
            if _is_over(text(condition, "expression"), self._now):
                continue
            for member in texts(binding, "members"):
                found = PolicyBinding(
                    member=member,
                    role=role,
                    resource=resource,
                    patterns=self.custom.get(role) or PREDEFINED.get(role, frozenset()),
                    condition=(text(condition, "title") or text(condition, "expression"))[:80],
                    place=msgspec.structs.replace(place, inside=f"{resource} {role}"),
                )
                self.bindings.setdefault(member, []).append(found)

    def _named(self, policy: dict[str, Json], place: FilePlace) -> str:
        """Return the resource of a policy that does not name it: by its file's name, else by its content."""
        if place.file not in self._files:
            self._files[place.file] = self._by_file(place.file.lower())
        if self._files[place.file]:
            return self._files[place.file]
        roles = [text(binding, "role") for binding in objects(policy, "bindings")]
        if set(roles) & set(_OF_ORGANIZATIONS):
            return "organizations/unnamed"
        own = Counter(role.partition("/roles/")[0] for role in roles if role.startswith("projects/"))
        members = (m for b in objects(policy, "bindings") for m in texts(b, "members"))
        emails = Counter(
            self.project_of(m) for m in members if m.startswith(ACCOUNT) and not self.is_agent(m)
        )
        emails.pop("", None)
        for counted in (own, emails):
            if counted:
                return min(counted, key=lambda project: (-counted[project], project))
        projects = {p for p in (*self.accounts.values(), *self._numbers.values()) if p}
        stem = place.file.lower().rpartition("/")[2].partition(".")[0]
        return next(iter(projects)) if len(projects) == 1 else f"projects/{stem}"

    def _by_file(self, name: str) -> str:
        """Return the resource that a file's name names; empty where it names none."""
        emails = [m.removeprefix(ACCOUNT) for m in self.accounts]
        inside = [email for email in emails if email.lower() in name]
        if inside:
            return f"serviceAccounts/{max(sorted(inside), key=len)}"
        found = re.search(r"(organizations?|folders?|projects?)[-_/ ]?([0-9]{4,20})", name)
        if found:
            return self._numbers.get(found[2], f"{found[1].rstrip('s')}s/{found[2]}")
        projects = {*self.accounts.values(), *self._parents, *self._numbers.values()}
        named = [p for p in projects if p.startswith("projects/") and p.partition("/")[2] in name]
        if named:
            return max(sorted(named), key=len)
        stem = name.rpartition("/")[2].partition(".")[0]
        return "organizations/unnamed" if re.match(r"(org|organization)(?![a-z])", stem) else ""

    def _read_denials(self, item: dict[str, Json]) -> Iterator[_Denial]:
        name = unquote(text(item, "name")).partition("/denypolicies/")[0]
        resource = _resource(name)
        resource = self._numbers.get(resource.rpartition("/")[2], resource)
        for entry in objects(item, "rules"):
            rule = mapping(entry, "denyRule")
            yield _Denial(
                resource=resource,
                principals=texts(rule, "deniedPrincipals"),
                excepted=texts(rule, "exceptionPrincipals"),
                permissions=frozenset(map(_permission, texts(rule, "deniedPermissions"))),
                spared=frozenset(map(_permission, texts(rule, "exceptionPermissions"))),
                conditional=bool(mapping(rule, "denialCondition")),
            )


def _ordered(binding: PolicyBinding) -> tuple[str, ...]:
    place = binding.place
    return binding.resource, binding.role, binding.condition, place.file, place.inside, str(place.line)


def _listed(document: Json, depth: int = 0) -> Iterator[dict[str, Json]]:
    if isinstance(document, list) and depth <= _DEEPEST_LIST:
        members = list(objects(document))
        # Policies of a project and its ancestors, nearest first (`gcloud projects get-ancestors-iam-policy`).
        chain = [
            f"{text(m, 'type')}s/{text(m, 'id')}" for m in members if mapping(m, "policy") and text(m, "type")
        ]
        if len(chain) == len(members) and chain:
            yield {"ancestors": chain}
        for member in members:
            yield from _listed(member, depth + 1)
    elif isinstance(document, dict):
        yield document


def _resource(name: str) -> str:
    """Return a resource by its full name or its path."""
    parts = name.split("/")
    for kind in ("serviceAccounts", "projects", "folders", "organizations"):
        if kind in parts[:-1]:
            return f"{kind}/{parts[parts.index(kind) + 1]}"
    return name


def _permission(denied: str) -> str:
    """Return a permission of a deny policy (`iam.googleapis.com/roles.create`) as allow policies write it."""
    service, slash, rest = denied.partition("/")
    service = service.removesuffix(".googleapis.com").removeprefix(
        "cloud" if service.startswith("cloudres") else ""
    )
    return f"{service}.{rest}" if slash else denied


def _among(member: str, principals: Sequence[str]) -> bool | None:
    """Return whether a member is one of a deny policy's principals; None where groups leave it open."""
    kind, _, name = member.partition(":")
    wanted = {
        "user": f"principal://goog/subject/{name}",
        "group": f"principalSet://goog/group/{name}",
        "serviceAccount": f"principal://iam.googleapis.com/projects/-/serviceAccounts/{name}",
    }.get(kind, member)
    if wanted in principals or "principalSet://goog/public:all" in principals:
        return True
    # Members of groups, domains and sets are not exported.
    return None if any(p.startswith("principalSet:") for p in principals) else False


def _is_over(expression: str, now: datetime) -> bool:
    """Return whether a condition is a bound on time alone, and that time is over."""
    found = _ENDS.fullmatch(expression.strip())
    if not found:
        return False
    try:
        end = datetime.fromisoformat(found[1])
    except ValueError:
        return False
    return end.tzinfo is not None and end <= now
