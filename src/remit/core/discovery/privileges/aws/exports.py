# SPDX-License-Identifier: Apache-2.0
"""Read exports of AWS into what they say of accounts.

Known forms: `get-account-authorization-details`; `get-*` and `list-*` of roles, users, groups and policies;
policy documents alone, of which the path says whether they limit (`scp`, `rcp`, `boundary`); policies of
Organizations; policies of resources; lists of functions, instances, secrets and others; the credential
report; last accessed services; a request of `sts assume-role` with a session policy. Others are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.aws.account import (
    ADMINISTRATOR,
    NO_ACCOUNT,
    UNNAMED,
    AwsExport,
    AwsGroup,
    AwsPolicy,
    AwsPrincipal,
    AwsResource,
    OrganizationPolicy,
)
from remit.core.discovery.privileges.aws.policy import (
    EVERYTHING,
    NO_STATEMENTS,
    PolicyDocument,
    is_policy,
    loaded,
    policy_document,
)
from remit.core.discovery.privileges.aws.usage import (
    MOST_MEMBERS,
    UsageReading,
    account_of,
    members,
    text_of,
)
from remit.core.json_value import Json

_LIMITS = re.compile(r"(?:^|[^a-z])(scp|rcp|service.?control|resource.?control|boundar)", re.IGNORECASE)

#: Lists of resources: kind, and the members that hold the ARN, the name and the role.
_LISTS: dict[str, tuple[str, str, str, str]] = {
    "Functions": ("function", "FunctionArn", "FunctionName", "Role"),
    "SecretList": ("secret", "ARN", "Name", ""),
    "Buckets": ("bucket", "arn:aws:s3:::{name}", "Name", ""),
    "projects": ("build project", "arn", "name", "serviceRole"),
    "Stacks": ("stack", "StackId", "StackName", "RoleARN"),
    "DevEndpoints": (
        "development endpoint",
        "arn:aws:glue:us-east-1:{account}:devEndpoint/{name}",
        "EndpointName",
        "RoleArn",
    ),
    "Keys": ("key", "KeyArn", "KeyId", ""),
    "stateMachines": ("state machine", "stateMachineArn", "name", "roleArn"),
    "taskDefinition": ("task definition", "taskDefinitionArn", "family", "taskRoleArn"),
    "Service": ("web service", "ServiceArn", "ServiceName", "InstanceRoleArn"),
}


#: Policies of AWS that matter most, for exports that name them without their documents.
_OF_AWS: Final[dict[str, Json]] = {
    "IAMFullAccess": {"Action": "iam:*"},
    "PowerUserAccess": {"NotAction": ["iam:*", "organizations:*", "account:*"]},
}


class _Identity(msgspec.Struct, kw_only=True):
    """What was read of a user, role or group so far."""

    arn: str
    kind: str
    name: str
    account: str
    place: FilePlace
    id: str = ""
    inline: dict[str, AwsPolicy] = {}
    attached: dict[str, str] = {}
    groups: dict[str, None] = {}
    tags: dict[str, str] | None = None
    boundary_arn: str = ""
    trust: PolicyDocument | None = None
    profiles: dict[str, None] | None = None
    created: str = ""
    last_used: str | None = None
    hypothetical: bool = False


def read_exports(exports: Sequence[PermissionExport]) -> AwsExport:
    """Return what exports of AWS say together; documents of other providers are left out."""
    reading = _Reading()
    for export in exports:
        if export.provider is PermissionSource.AWS:
            reading.document(export.document, export.place)
    return reading.done()


def _stem(place: FilePlace) -> str:
    return place.file.replace("\\", "/").rpartition("/")[2].partition(".")[0] or "policy"


class _Reading:
    """Collects what documents say; names are resolved when all are read."""

    def __init__(self) -> None:
        self.identities: dict[str, _Identity] = {}
        self.named: dict[tuple[str, str], _Identity] = {}
        self.inline: set[str] = set()
        self.only = ""
        self.policies: dict[str, AwsPolicy] = {
            ADMINISTRATOR: AwsPolicy(
                name="AdministratorAccess", arn=ADMINISTRATOR, document=EVERYTHING, place=FilePlace(file="")
            )
        }
        for name, statement in _OF_AWS.items():
            arn = f"arn:aws:iam::aws:policy/{name}"
            document = policy_document({"Statement": {"Effect": "Allow", "Resource": "*", **statement}})
            self.policies[arn] = AwsPolicy(name=name, arn=arn, document=document, place=FilePlace(file=""))
        self.resources: dict[str, AwsResource] = {}
        self.listed: set[str] = set()
        self.usage = UsageReading()
        self.boundaries: dict[str, PolicyDocument] = {}
        self.late: list[Callable[[], None]] = []
        self.sessions: list[tuple[str, str, PolicyDocument, FilePlace]] = []

    def document(self, value: Json, place: FilePlace) -> None:
        """Read one document of any known form."""
        value = loaded(value)
        if isinstance(value, str):
            self.usage.credential_report(value, place)
        elif isinstance(value, list):
            for each in value[:MOST_MEMBERS]:
                if isinstance(each, dict):
                    self._object(each, place)
        elif isinstance(value, dict):
            self._object(value, place)

    def _object(self, value: dict[str, Json], place: FilePlace) -> None:
        if is_policy(value):
            self._bare(value, place)
            return
        self._identities(value, place)
        self._named(value, place)
        self._policies(value, place)
        self._of_resources(value, place)
        self._inventory(value, place)
        self.usage.object(value, place)

    # Identities

    def _identities(self, value: dict[str, Json], place: FilePlace) -> None:
        for name, kind, whole in (
            ("UserDetailList", "user", True),
            ("GroupDetailList", "group", True),
            ("RoleDetailList", "role", True),
            ("Users", "user", False),
            ("Roles", "role", False),
            ("Groups", "group", False),
            ("User", "user", True),
            ("Role", "role", True),
        ):
            for each in members(value, name):
                self._identity(each, kind, place, whole=whole)
        for each in members(value, "Group"):
            group = self._identity(each, "group", place, whole=True)
            for user in members(value, "Users") if group else ():
                member = self._identity(user, "user", place, whole=False)
                if member and group:
                    member.groups[group.name] = None
        for each in members(value, "InstanceProfiles"):
            for role in members(each, "Roles"):
                found = self._identity(role, "role", place, whole=False)
                if found:
                    found.profiles = {**(found.profiles or {}), text_of(each, "Arn"): None}

    def _identity(self, value: Json, kind: str, place: FilePlace, *, whole: bool) -> _Identity | None:
        arn, name = text_of(value, "Arn"), text_of(value, f"{kind.title()}Name")
        if not name or f":{kind}/" not in arn:
            return None
        inside = f"{kind.title()}s.{name}"
        found = self._found(arn, kind, name, msgspec.structs.replace(place, inside=inside))
        found.id = text_of(value, f"{kind.title()}Id") or found.id
        found.created = text_of(value, "CreateDate") or found.created
        if whole and found.tags is None:
            found.tags = {}
        for tag in members(value, "Tags"):
            found.tags = {**(found.tags or {}), text_of(tag, "Key"): text_of(tag, "Value")}
        for each in members(value, f"{kind.title()}PolicyList"):
            self._inline(found, text_of(each, "PolicyName"), each.get("PolicyDocument"), place)
        for each in members(value, "AttachedManagedPolicies"):
            found.attached[text_of(each, "PolicyArn")] = text_of(each, "PolicyName")
        groups = value.get("GroupList")
        for each in groups[:MOST_MEMBERS] if isinstance(groups, list) else ():
            if isinstance(each, str):
                found.groups[each] = None
        boundary = value.get("PermissionsBoundary")
        found.boundary_arn = text_of(boundary, "PermissionsBoundaryArn") or found.boundary_arn
        if "AssumeRolePolicyDocument" in value:
            found.trust = policy_document(value["AssumeRolePolicyDocument"])
        if isinstance(value.get("InstanceProfileList"), list):
            listed = dict.fromkeys(text_of(each, "Arn") for each in members(value, "InstanceProfileList"))
            found.profiles = {**(found.profiles or {}), **listed}
        if isinstance(value.get("RoleLastUsed"), dict):
            found.last_used = text_of(value["RoleLastUsed"], "LastUsedDate")
        return found

    def _found(self, arn: str, kind: str, name: str, place: FilePlace) -> _Identity:
        found = self.identities.get(arn)
        if found is None:
            account = account_of(arn) or NO_ACCOUNT
            found = _Identity(arn=arn, kind=kind, name=name, account=account, place=place)
            self.identities[arn] = found
            self.named.setdefault((kind, name), found)
        return found

    def _inline(self, identity: _Identity, name: str, document: Json, place: FilePlace) -> None:
        where = msgspec.structs.replace(place, inside=f"{identity.place.inside or identity.name}.{name}")
        identity.inline[name] = AwsPolicy(name=name, document=policy_document(document), place=where)
        self.inline.add(name)

    def _named(self, value: dict[str, Json], place: FilePlace) -> None:
        """Read policies of identities that are only named, such as `get-role-policy`."""
        for kind in ("role", "user", "group"):
            name = text_of(value, f"{kind.title()}Name")
            if name and "PolicyDocument" in value:
                self.late.append(
                    lambda kind=kind, name=name: self._inline(  # type: ignore[misc]
                        self._by_name(kind, name, place),
                        text_of(value, "PolicyName") or "inline",
                        value["PolicyDocument"],
                        place,
                    )
                )
        attached = members(value, "AttachedPolicies")
        if attached:
            self.late.append(lambda: self._attach(value, attached, place))

    def _attach(self, value: dict[str, Json], attached: list[dict[str, Json]], place: FilePlace) -> None:
        named = [
            self._by_name(kind, name, place)
            for kind in ("role", "user", "group")
            if (name := text_of(value, f"{kind.title()}Name"))
        ] or list(self._in_path(place))
        for identity in named:
            for each in attached:
                identity.attached[text_of(each, "PolicyArn")] = text_of(each, "PolicyName")

    def _in_path(self, place: FilePlace) -> Iterator[_Identity]:
        """Yield the identity that the path names, the longest name first."""
        path = place.file.replace("\\", "/")
        best = max((each.name for each in self.identities.values() if each.name in path), key=len, default="")
        yield from (each for each in self.identities.values() if best and each.name == best)

    def _by_name(self, kind: str, name: str, place: FilePlace) -> _Identity:
        return self.named.get((kind, name)) or self._found(
            f"arn:aws:iam::{self._account()}:{kind}/{name}", kind, name, place
        )

    def _account(self) -> str:
        """Return the account of documents that do not name theirs: the only one, if there is one."""
        if self.only:
            return self.only
        known = {each.account for each in self.identities.values()}
        known |= {account_of(arn) for arn in self.policies}
        known -= {"", NO_ACCOUNT}
        return min(known) if len(known) == 1 else NO_ACCOUNT

    # Policies

    def _bare(self, value: dict[str, Json], place: FilePlace) -> None:
        """Read a policy document alone: of a resource or a role if it names principals."""
        document = policy_document(value)
        path = place.file.rpartition("/")[2]
        kind = (_LIMITS.search(path) or _LIMITS.search(place.file) or [""])[0].lower()
        if "boundar" in kind:
            self.boundaries[_stem(place)] = document
        elif "rcp" in kind or "resource" in kind:
            self.usage.resource.append(OrganizationPolicy(name=_stem(place), document=document, place=place))
        elif kind:
            self.usage.service.append(OrganizationPolicy(name=_stem(place), document=document, place=place))
        elif any(each.principals is not None for each in document.statements):
            self.late.append(lambda: self._resource_document(document, place, ""))
        else:
            self.late.append(lambda: self._unattached(_stem(place), document, place))

    def _unattached(self, name: str, document: PolicyDocument, place: FilePlace) -> None:
        """Take a policy that no identity is known to have for one that some identity has."""
        if name in self.inline or any(each.name == name for each in self.policies.values()):
            return
        account = self._account()
        if account == NO_ACCOUNT:
            named = {
                account_of(res)
                for each in document.statements
                for res in (*each.resources, *each.not_resources)
            } - {""}
            account = min(named) if len(named) == 1 else account
        arn = f"arn:aws:iam::{account}:policy/{name}"
        kept = self.identities.get(arn)
        if kept is not None and kept.place.file != place.file:
            arn = f"{arn}#{place.file}"
        identity = self._found(arn, "policy", name, place)
        identity.inline[name] = AwsPolicy(name=name, document=document, place=place)
        identity.hypothetical = True

    def _policies(self, value: dict[str, Json], place: FilePlace) -> None:
        for each in members(value, "Policies") + members(value, "Policy"):
            arn, name = text_of(each, "Arn"), text_of(each, "PolicyName")
            if arn and name and ":policy/" in arn and ":organizations:" not in arn:
                self._managed(arn, name, each, place)
        for version in members(value, "PolicyVersion"):
            document = policy_document(version.get("Document"))
            self.late.append(lambda document=document: self._version(document, place, value))  # type: ignore[misc]

    def _managed(self, arn: str, name: str, value: dict[str, Json], place: FilePlace) -> None:
        where = msgspec.structs.replace(place, inside=f"Policies.{name}")
        kept = self.policies.get(arn)
        document = kept.document if kept else NO_STATEMENTS
        others = list(kept.versions) if kept else []
        for version in members(value, "PolicyVersionList")[:10]:
            read = policy_document(version.get("Document"))
            if version.get("IsDefaultVersion") is True:
                document = read
            else:
                others.append((text_of(version, "VersionId"), read))
        self.policies[arn] = AwsPolicy(
            name=name, arn=arn, document=document, place=where, versions=tuple(others)
        )

    def _version(self, document: PolicyDocument, place: FilePlace, value: dict[str, Json]) -> None:
        """Give the document of `get-policy-version` to the policy that its path or a member names."""
        arn = text_of(value, "PolicyArn") or text_of(value, "Arn")
        named = [each for each in self.policies.values() if each.name in place.file and each.ours]
        best = max(named, key=lambda each: len(each.name), default=None)
        kept = self.policies.get(arn) or best
        if kept is None and arn:
            kept = AwsPolicy(name=arn.rpartition("/")[2], arn=arn, document=document, place=place)
        if kept is None:
            self._unattached(_stem(place), document, place)
            return
        self.policies[kept.arn] = msgspec.structs.replace(kept, document=document, place=place)

    # Resources

    def _of_resources(self, value: dict[str, Json], place: FilePlace) -> None:
        policy = loaded(value.get("Policy")) if isinstance(value.get("Policy"), str) else None
        arn = ""
        attributes = value.get("Attributes")
        if isinstance(attributes, dict):
            policy = loaded(attributes.get("Policy"))
            arn = text_of(attributes, "QueueArn") or text_of(attributes, "TopicArn")
        if isinstance(value.get("ResourcePolicy"), str):
            policy, arn = loaded(value["ResourcePolicy"]), text_of(value, "ARN")
        role, session = text_of(value, "RoleArn"), text_of(value, "RoleSessionName")
        if role and session and is_policy(policy):
            self.sessions.append((role, session, policy_document(policy), place))
        elif is_policy(policy):
            document = policy_document(policy)
            self.late.append(lambda: self._resource_document(document, place, arn))

    def _resource_document(self, document: PolicyDocument, place: FilePlace, arn: str) -> None:
        actions = [action for each in document.statements for action in each.actions]
        if actions and all(each.startswith("sts:") for each in actions):
            name = _stem(place)
            identity = self._by_name("role", name, place)
            identity.trust = identity.trust or document
            return
        arns = [arn] if arn else [res for each in document.statements for res in each.resources]
        bare = {each.partition("/")[0] if each.startswith("arn:aws:s3:::") else each for each in arns}
        for each in sorted(bare)[:100] or [""]:
            named = each if each.startswith("arn:") and "*" not in each else f"{_stem(place)}"
            kept = self.resources.get(named)
            kind = (
                kept.kind if kept else _KINDS.get(each.split(":")[2] if each.startswith("arn:") else "", "")
            )
            kind = kind or (_KINDS.get(actions[0].partition(":")[0], "resource") if actions else "resource")
            account = kept.account if kept else (account_of(named) or self._account())
            name = kept.name if kept else re.split(r"[:/]", named)[-1]
            self.resources[named] = AwsResource(
                arn=named,
                kind=kind,
                name=name,
                account=account,
                place=place,
                role=kept.role if kept else "",
                policy=document,
            )

    def _inventory(self, value: dict[str, Json], place: FilePlace) -> None:
        for member, (kind, arn, name, role) in _LISTS.items():
            if isinstance(value.get(member), list):
                self.listed.add(kind)
            for each in members(value, member):
                self._listed_resource(each, kind, (arn, name, role), place)
        if isinstance(value.get("Reservations"), list):
            self.listed.add("instance")
            self.late.append(lambda: self._instances(value, place))
        if text_of(value, "NotebookInstanceArn"):
            fields = ("NotebookInstanceArn", "NotebookInstanceName", "RoleArn")
            self._listed_resource(value, "notebook", fields, place)

    def _listed_resource(
        self, value: dict[str, Json], kind: str, fields: tuple[str, str, str], place: FilePlace
    ) -> None:
        arn_field, name_field, role_field = fields
        name = text_of(value, name_field)
        role = text_of(value, role_field)
        if kind == "web service":
            role = text_of(value.get("InstanceConfiguration"), "InstanceRoleArn")
        account = account_of(role) or account_of(text_of(value, arn_field)) or self._account()
        arn = arn_field.format(name=name, account=account) if "{" in arn_field else text_of(value, arn_field)
        if arn and name:
            kept = self.resources.get(arn)
            self.resources[arn] = AwsResource(
                arn=arn,
                kind=kind,
                name=name,
                account=account,
                place=place,
                role=role,
                policy=kept.policy if kept else None,
            )

    def _instances(self, value: dict[str, Json], place: FilePlace) -> None:
        roles = {profile: each.arn for each in self.identities.values() for profile in each.profiles or ()}
        for each in members(value, "Reservations"):
            for instance in members(each, "Instances"):
                name = text_of(instance, "InstanceId")
                profile = text_of(instance.get("IamInstanceProfile"), "Arn")
                account = account_of(profile) or text_of(each, "OwnerId") or self._account()
                arn = f"arn:aws:ec2:us-east-1:{account}:instance/{name}"
                self.resources[arn] = AwsResource(
                    arn=arn,
                    kind="instance",
                    name=name,
                    account=account,
                    place=place,
                    role=roles.get(profile, ""),
                )

    # The whole

    def done(self) -> AwsExport:
        """Resolve names, and return the whole."""
        self.only = self._account()
        for each in self.late:
            each()
        self.usage.later(
            lambda name: user.account if (user := self.named.get(("user", name))) else self._account(),
            lambda arn, place: [arn] if arn in self.identities else [one.arn for one in self._in_path(place)],
        )
        self._suppose()
        groups = {
            each.arn: AwsGroup(
                arn=each.arn, name=each.name, account=each.account, policies=self._policies_of(each)
            )
            for each in self.identities.values()
            if each.kind == "group"
        }
        principals = {
            each.arn: self._principal(each, groups)
            for each in self.identities.values()
            if each.kind != "group"
        }
        for role, session, document, place in self.sessions:
            base = principals.get(role)
            if base is not None:
                name = f"{base.name}/{session}"
                arn = f"arn:aws:sts::{base.account}:assumed-role/{name}"
                of_role = msgspec.structs.replace(base, arn=arn, base=role, kind="session", name=name)
                principals[arn] = msgspec.structs.replace(of_role, session=document, place=place, trust=None)
        return AwsExport(
            principals=principals,
            groups=groups,
            policies=self.policies,
            resources=self.resources,
            service_controls=tuple(self.usage.service),
            resource_controls=tuple(self.usage.resource),
            organization=self.usage.organization,
            management=self.usage.management,
            accounts=frozenset(self.usage.accounts | {each.account for each in principals.values()}),
            listed=frozenset(self.listed),
            keys=tuple(self.usage.keys.values()),
            accessed=tuple(self.usage.accessed),
            console=self.usage.console,
        )

    def _suppose(self) -> None:
        """Give accounts of which only policies are known a role and a user that have more rights."""
        kinds: dict[str, set[str]] = {}
        for each in self.identities.values():
            kinds.setdefault(each.account, set()).add(each.kind)
        for account, known in kinds.items():
            for kind in ("user", "role") if known == {"policy"} else ():
                arn = f"arn:aws:iam::{account}:{kind}/{UNNAMED}"
                supposed = self._found(arn, kind, UNNAMED, FilePlace(file=""))
                supposed.attached[ADMINISTRATOR] = "AdministratorAccess"
                supposed.hypothetical = True

    def _policies_of(self, identity: _Identity, through: str = "") -> tuple[AwsPolicy, ...]:
        attached = (self.policies[arn] for arn in identity.attached if arn in self.policies)
        every: Iterable[AwsPolicy] = (*identity.inline.values(), *attached)
        return tuple(msgspec.structs.replace(each, through=through) if through else each for each in every)

    def _principal(self, each: _Identity, groups: dict[str, AwsGroup]) -> AwsPrincipal:
        policies = list(self._policies_of(each))
        for group in groups.values():
            if group.account == each.account and each.kind == "user" and group.name in each.groups:
                policies += (msgspec.structs.replace(one, through=group.name) for one in group.policies)
        bound = self.policies.get(each.boundary_arn)
        boundary = bound.document if bound is not None and bound.document is not NO_STATEMENTS else None
        return AwsPrincipal(
            arn=each.arn,
            kind=each.kind,
            name=each.name,
            account=each.account,
            place=each.place,
            id=each.id,
            policies=tuple(policies),
            groups=tuple(each.groups),
            tags=each.tags,
            boundary_arn=each.boundary_arn,
            boundary=boundary or self.boundaries.get(each.boundary_arn.rpartition("/")[2]),
            trust=each.trust,
            profiles=None if each.profiles is None else tuple(each.profiles),
            created=each.created,
            last_used=each.last_used,
            hypothetical=each.hypothetical,
        )


#: Kinds of resources by the service in their ARN or in the actions of their policy.
_KINDS = {
    "s3": "bucket",
    "kms": "key",
    "lambda": "function",
    "secretsmanager": "secret",
    "sqs": "queue",
    "sns": "topic",
    "ecr": "image repository",
}
