# SPDX-License-Identifier: Apache-2.0
"""The steps by which a principal of AWS becomes another one or gives itself rights: data, no code.

The facts are those of the paths that pathfinding.cloud collects (its ids stand in `known_as`), of the
services' authorization references, and of what the services do with a role. Texts are ours.

In a resource, `{account}` is the account, `?*` a name that the caller chooses, `{target}` the ARN of the
role, user, group or policy that the step is about. `*` is an action without a resource.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec


class Gain(enum.StrEnum):
    """What a step leads to."""

    PASSED_ROLE = "passed-role"
    """The caller passes a role to something new and acts as the role."""
    USED_ROLE = "used-role"
    """The caller takes over something that has a role already."""
    IDENTITY = "identity"
    """The caller acts as the target: a user, or a role."""
    ANY_RIGHT = "any-right"
    """The target gets any right: a user, a role, or the members of a group."""
    MEMBERSHIP = "membership"
    """A user gets the rights of a group."""
    VERSION = "version"
    """A policy of the target takes the rights of another version of it."""
    NO_BOUNDARY = "no-boundary"
    """The target loses its boundary."""
    NO_DENIAL = "no-denial"
    """The target loses a policy that denies something."""
    NEW_IDENTITY = "new-identity"
    """The caller makes a user or a role with any right, and acts as it."""


class Need(msgspec.Struct, frozen=True):
    """What a step needs: one of `actions`, on one of `resources`.

    Without it the step fails, or, where `otherwise` has words, depends on what they say.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    otherwise: str = ""


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `says` is what it does in one sentence part; `{target}` and `{used}` are names.

    `services` may assume the role that the step is about. `target` is the kind of what it is about. `uses` is
    the kind of the existing resource that has the role; `unless_listed` says what must exist where the export
    does not list such resources.
    """

    name: str
    gain: Gain
    needs: tuple[Need, ...]
    says: str
    known_as: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    target: str = "role"
    uses: str = ""
    unless_listed: str = ""


def need(action: str, *resources: str, otherwise: str = "") -> Need:
    """Return what a step needs; `|` stands between actions of which one suffices."""
    return Need(tuple(action.split("|")), resources or ("*",), otherwise)


def arn(service: str, what: str) -> str:
    """Return the pattern of a resource in any region of the account."""
    return f"arn:aws:{service}:?*:{{account}}:{what}"


TARGET: Final = "{target}"
FUNCTION: Final = arn("lambda", "function:?*")
INSTANCE: Final = arn("ec2", "instance/?*")
BUILD: Final = arn("codebuild", "project/?*")
STACK: Final = arn("cloudformation", "stack/?*/?*")
AGENT: Final = "bedrock-agentcore"
START_BUILD: Final = "codebuild:StartBuild|codebuild:StartBuildBatch"
RUN_FUNCTION: Final = (
    "lambda:InvokeFunction|lambda:CreateEventSourceMapping|lambda:AddPermission|"
    "lambda:CreateFunctionUrlConfig"
)
_NEW_USER = "arn:aws:iam::{account}:user/?*"
_NEW_ROLE = "arn:aws:iam::{account}:role/?*"


def _identity(name: str, gain: Gain, target: str, says: str, *needs: Need, known_as: str = "") -> Technique:
    return Technique(
        name=name, gain=gain, target=target, says=says, needs=needs, known_as=tuple(known_as.split())
    )


IDENTITIES: Final = (
    _identity(
        "access-key",
        Gain.IDENTITY,
        "user",
        "makes an access key for user {target}",
        need("iam:CreateAccessKey", TARGET),
        known_as="iam-002 iam-003",
    ),
    _identity(
        "new-password",
        Gain.IDENTITY,
        "user",
        "gives user {target} a password for the console",
        need("iam:CreateLoginProfile", TARGET),
        known_as="iam-004",
    ),
    _identity(
        "changed-password",
        Gain.IDENTITY,
        "user",
        "changes the console password of user {target}",
        need("iam:UpdateLoginProfile", TARGET),
        known_as="iam-006",
    ),
    _identity(
        "trust-policy",
        Gain.IDENTITY,
        "role",
        "lets itself assume role {target} by changing its trust policy",
        need("iam:UpdateAssumeRolePolicy", TARGET),
        known_as="iam-012 iam-019 iam-020 iam-021 sts-004",
    ),
    _identity(
        "attached-user-policy",
        Gain.ANY_RIGHT,
        "user",
        "attaches a policy with any right to user {target}",
        need("iam:AttachUserPolicy", TARGET),
        known_as="iam-008 iam-015",
    ),
    _identity(
        "attached-group-policy",
        Gain.ANY_RIGHT,
        "group",
        "attaches a policy with any right to group {target}",
        need("iam:AttachGroupPolicy", TARGET),
        known_as="iam-010",
    ),
    _identity(
        "attached-role-policy",
        Gain.ANY_RIGHT,
        "role",
        "attaches a policy with any right to role {target}",
        need("iam:AttachRolePolicy", TARGET),
        known_as="iam-009 iam-014 iam-019",
    ),
    _identity(
        "inline-user-policy",
        Gain.ANY_RIGHT,
        "user",
        "writes a policy with any right into user {target}",
        need("iam:PutUserPolicy", TARGET),
        known_as="iam-007 iam-018",
    ),
    _identity(
        "inline-group-policy",
        Gain.ANY_RIGHT,
        "group",
        "writes a policy with any right into group {target}",
        need("iam:PutGroupPolicy", TARGET),
        known_as="iam-011",
    ),
    _identity(
        "inline-role-policy",
        Gain.ANY_RIGHT,
        "role",
        "writes a policy with any right into role {target}",
        need("iam:PutRolePolicy", TARGET),
        known_as="iam-005 iam-017 iam-021",
    ),
    _identity(
        "policy-version",
        Gain.ANY_RIGHT,
        "policy",
        "writes a new version of policy {target} with any right",
        need("iam:CreatePolicyVersion", TARGET),
        known_as="iam-001 iam-016 iam-020",
    ),
    _identity(
        "default-version",
        Gain.VERSION,
        "policy",
        "makes another version of policy {target} its default",
        need("iam:SetDefaultPolicyVersion", TARGET),
    ),
    _identity(
        "membership",
        Gain.MEMBERSHIP,
        "group",
        "adds itself to group {target}",
        need("iam:AddUserToGroup", TARGET),
        known_as="iam-013",
    ),
    _identity(
        "removed-user-boundary",
        Gain.NO_BOUNDARY,
        "user",
        "removes its permissions boundary",
        need("iam:DeleteUserPermissionsBoundary|iam:PutUserPermissionsBoundary", TARGET),
        known_as="iam-022 iam-024",
    ),
    _identity(
        "removed-role-boundary",
        Gain.NO_BOUNDARY,
        "role",
        "removes its permissions boundary",
        need("iam:DeleteRolePermissionsBoundary|iam:PutRolePermissionsBoundary", TARGET),
        known_as="iam-023",
    ),
    _identity(
        "removed-user-denial",
        Gain.NO_DENIAL,
        "user",
        "removes a policy that denies it something",
        need("iam:DeleteUserPolicy|iam:DetachUserPolicy", TARGET),
        known_as="iam-025 iam-026",
    ),
    _identity(
        "removed-role-denial",
        Gain.NO_DENIAL,
        "role",
        "removes a policy that denies it something",
        need("iam:DeleteRolePolicy|iam:DetachRolePolicy", TARGET),
    ),
    _identity(
        "new-user",
        Gain.NEW_IDENTITY,
        "user",
        "makes a user with any right",
        need("iam:CreateUser", _NEW_USER),
        need("iam:AttachUserPolicy|iam:PutUserPolicy", _NEW_USER),
        need(
            "iam:CreateAccessKey|iam:CreateLoginProfile",
            _NEW_USER,
            otherwise="it obtains credentials of the new user",
        ),
    ),
    _identity(
        "new-member",
        Gain.NEW_IDENTITY,
        "group",
        "makes a user and adds it to group {target}",
        need("iam:CreateUser", _NEW_USER),
        need("iam:AddUserToGroup", TARGET),
        need(
            "iam:CreateAccessKey|iam:CreateLoginProfile",
            _NEW_USER,
            otherwise="it obtains credentials of the new user",
        ),
    ),
    _identity(
        "new-role",
        Gain.NEW_IDENTITY,
        "role",
        "makes a role with any right that trusts itself",
        need("iam:CreateRole", _NEW_ROLE),
        need("iam:AttachRolePolicy|iam:PutRolePolicy", _NEW_ROLE),
    ),
)
