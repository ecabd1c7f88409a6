# SPDX-License-Identifier: Apache-2.0
"""What exports say of AWS accounts: principals and resources with their policies, and what limits them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.aws.policy import EVERYTHING, PolicyDocument

ADMINISTRATOR: Final = "arn:aws:iam::aws:policy/AdministratorAccess"
#: The account of documents that name none.
NO_ACCOUNT: Final = "000000000000"
#: The change of a principal that is acted as by a new key or password, without a second factor.
NO_FACTOR: Final = "no second factor"
#: The name of principals that stand for any that an account may have.
UNNAMED: Final = "with-more-rights"


class AwsPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as it applies to a principal: `name` as people know it, `through` the group that it comes by.

    `versions` are the documents of its other versions, by id.
    """

    name: str
    document: PolicyDocument
    place: FilePlace
    arn: str = ""
    through: str = ""
    versions: tuple[tuple[str, PolicyDocument], ...] = ()

    @property
    def inline(self) -> bool:
        """Whether the policy is part of its principal."""
        return not self.arn

    @property
    def ours(self) -> bool:
        """Whether the account can change it."""
        return bool(self.arn) and not self.arn.startswith("arn:aws:iam::aws:")

    @property
    def words(self) -> str:
        """The policy in words."""
        return f"policy `{self.name}`" + (f" of group `{self.through}`" if self.through else "")


class AwsPrincipal(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A user, a role, a session of a role, or a policy that no principal is known to have.

    `base` is the role of a session. `boundary` is None where there is none; `boundary_arn` without `boundary`
    is a boundary whose document is not in the export. `profiles` are its instance profiles, None where the
    export does not say. `changes` are what an attacker did to it. `hypothetical` principals stand for any
    that an account may have.
    """

    arn: str
    kind: str
    name: str
    account: str
    place: FilePlace
    id: str = ""
    base: str = ""
    policies: tuple[AwsPolicy, ...] = ()
    groups: tuple[str, ...] = ()
    tags: dict[str, str] | None = None
    boundary_arn: str = ""
    boundary: PolicyDocument | None = None
    trust: PolicyDocument | None = None
    session: PolicyDocument | None = None
    profiles: tuple[str, ...] | None = None
    created: str = ""
    last_used: str | None = None
    changes: frozenset[str] = frozenset()
    hypothetical: bool = False

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """What distinguishes it from other principals, and from itself after other changes."""
        return self.arn, self.changes

    @property
    def words(self) -> str:
        """The principal in words."""
        return f"{self.kind} `{self.name}`"

    @property
    def linked(self) -> bool:
        """Whether a service of AWS owns the role: only that service can use it."""
        return self.kind == "role" and ":role/aws-service-role/" in self.arn

    @property
    def protected(self) -> bool:
        """Whether IAM lets no one change the role: AWS, or its sign-in for people, manages it."""
        return self.linked or (self.kind == "role" and ":role/aws-reserved/" in self.arn)

    def changed(self, change: str, **fields: object) -> AwsPrincipal:
        """Return the principal after a change of an attacker."""
        return msgspec.structs.replace(self, changes=self.changes | {change}, **fields)

    def elevated(self) -> AwsPrincipal:
        """Return the principal with one more policy that permits everything."""
        anything = AwsPolicy(name="any", document=EVERYTHING, place=self.place)
        return self.changed("elevated", policies=(*self.policies, anything))


class AwsGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of users, with its policies."""

    arn: str
    name: str
    account: str
    policies: tuple[AwsPolicy, ...] = ()


class AwsResource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource: `kind` as in `function`, `bucket`, `secret`; `role` is the ARN of the role that it uses."""

    arn: str
    kind: str
    name: str
    account: str
    place: FilePlace
    role: str = ""
    policy: PolicyDocument | None = None


class AwsKey(msgspec.Struct, frozen=True, kw_only=True):
    """An active access key of a user, named by its last characters or its number. Dates as exported."""

    user: str
    account: str
    name: str
    place: FilePlace
    since: str = ""
    last_used: str | None = None


class LastAccessed(msgspec.Struct, frozen=True, kw_only=True):
    """When a principal last used a service; `at` is empty if it did not in the reported period."""

    principal: str
    service: str
    at: str
    place: FilePlace


class OrganizationPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A service or resource control policy. `accounts` are those it is attached to, empty for all."""

    name: str
    document: PolicyDocument
    place: FilePlace
    accounts: frozenset[str] = frozenset()

    def limits(self, account: str) -> bool:
        """Return whether it applies to an account."""
        return not self.accounts or account in self.accounts


class AwsExport(msgspec.Struct, frozen=True, kw_only=True):
    """All that the exports of a scan hold.

    `listed` are the kinds of resources that were listed: of such a kind, there is no other.
    """

    principals: dict[str, AwsPrincipal]
    groups: dict[str, AwsGroup]
    policies: dict[str, AwsPolicy]
    resources: dict[str, AwsResource]
    service_controls: tuple[OrganizationPolicy, ...] = ()
    resource_controls: tuple[OrganizationPolicy, ...] = ()
    organization: str = ""
    management: str = ""
    accounts: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    keys: tuple[AwsKey, ...] = ()
    accessed: tuple[LastAccessed, ...] = ()
    console: dict[str, tuple[bool, bool]] = {}
    """Of users in the credential report: whether they have a password, and a second factor."""

    def of(self, account: str, kind: str) -> Iterator[AwsPrincipal]:
        """Yield the principals of an account of a kind."""
        return (each for each in self.principals.values() if each.account == account and each.kind == kind)
