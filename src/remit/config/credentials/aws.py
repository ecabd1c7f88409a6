# SPDX-License-Identifier: Apache-2.0
"""AWS as a source of task credentials."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from remit.config.credentials.checks import Url, check_names, check_secret, check_source
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Seconds, Section, Text
from remit.config.reading.yaml_lines import Node

Statement = dict[Text, Any]

_ROLE: Final = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"
#: The values that a source of this kind issues.
GIVES: Final = frozenset({"access_key_id", "secret_access_key", "session_token", "region"})
_KEYS: Final = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_FIXED: Final = frozenset({"Sid", "Effect", "Action", "NotAction"})


class AwsWebIdentitySection(Section, frozen=True, kw_only=True):
    """Remit's own role, assumed with a token of its platform."""

    role: Annotated[Text, Meta(pattern=_ROLE, description="The ARN of remit's own role.")]
    token: Annotated[SecretRef, Meta(description="The token, as `file:path`; read for each use.")]


class AwsLeaseSection(Section, frozen=True, kw_only=True):
    """AWS: a session of a role for each task, narrowed by a session policy, denied when the task ends."""

    region: Annotated[Text, Meta(pattern=r"^[a-z0-9-]+$", description="Region, such as `eu-central-1`.")]
    role: Annotated[Text, Meta(pattern=_ROLE, description="The ARN of the role for tasks' sessions.")]
    access_key_id: Annotated[SecretRef | None, Meta(description="Access key id of remit.")] = None
    secret_access_key: Annotated[SecretRef | None, Meta(description="Its secret access key.")] = None
    session_token: Annotated[
        SecretRef | None, Meta(description="Its session token, for a temporary key.")
    ] = None
    web_identity: Annotated[
        AwsWebIdentitySection | None, Meta(description="Instead of a key: a role for remit's workload.")
    ] = None
    statements: Annotated[
        tuple[Statement, ...],
        Meta(
            description="Statements of every session's policy, in IAM form. In `Resource`, `NotResource` and "
            "`Condition`, `{task}`, `{agent}`, `{person}` and the task's parameters by name are filled "
            "in; a value with `*`, `?` or `$` is refused."
        ),
    ] = ()
    tool_statements: Annotated[
        dict[str, tuple[Statement, ...]],
        Meta(description="Further statements by tool, added if the task is granted the tool."),
    ] = {}
    probe_url: Annotated[
        Url,
        Meta(
            description="A GET that a valid session may make and an ended one may not; every session's "
            "policy must allow it. (Not GetCallerIdentity, which AWS answers for every key.)"
        ),
    ]
    probe_service: Annotated[
        Text, Meta(pattern=r"^[a-z0-9-]+$", description="The service to sign for: `s3`, `execute-api`.")
    ]
    sign_service: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9-]*$",
            description="Sign calls for this service (`s3`, `execute-api`) with the session instead of "
            "sending its keys: for an upstream with `openapi`.",
        ),
    ] = ""
    external_id: Annotated[str, Meta(description="`ExternalId`, if the role's trust policy requires it.")] = (
        ""
    )
    session_s: Annotated[
        Seconds,
        Meta(
            ge=900,
            le=12 * 3600,
            description="Longest lifetime of a session, up to the role's own limit. AWS's minimum is 15 "
            "minutes; for a shorter task the session policy denies everything after the deadline.",
        ),
    ] = 3600
    tags: Annotated[
        bool,
        Meta(
            description="Tag sessions with task, agent and person (the trust policy needs `sts:TagSession`)."
        ),
    ] = True
    source_identity: Annotated[
        bool,
        Meta(
            description="Set the agent as source identity (the trust policy needs `sts:SetSourceIdentity`)."
        ),
    ] = True
    sts_url: Annotated[str, Meta(description="STS address. Default: that of the region.")] = ""
    iam_url: Annotated[str, Meta(description="IAM address. Default: `https://iam.amazonaws.com`.")] = ""
    iam_region: Annotated[str, Meta(description="Region for signing IAM requests.")] = "us-east-1"
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


def check_aws(
    aws: AwsLeaseSection, templates: dict[str, str], key: str, node: Node, problems: Problems
) -> None:
    """Note problems across several values; `templates` are what carries the credential."""
    whole = aws.access_key_id is not None and aws.secret_access_key is not None
    part = whole or any((aws.access_key_id, aws.secret_access_key, aws.session_token))
    if part == (aws.web_identity is not None) or part != whole:
        problems.add(
            "does not state remit's identity there",
            line=node.line_of(key),
            key=key,
            remediation="give `access_key_id` and `secret_access_key`, or `web_identity`",
        )
    for name in ("access_key_id", "secret_access_key", "session_token"):
        if (secret := getattr(aws, name)) is not None:
            check_secret(secret, f"{key}.{name}", node, problems)
    if aws.web_identity is not None:
        check_secret(aws.web_identity.token, f"{key}.web_identity.token", node, problems)
    for name in ("probe_url", "sts_url", "iam_url"):
        check_source(getattr(aws, name), f"{key}.{name}", node, problems)
    if not aws.statements and not aws.tool_statements:
        problems.add(
            "does not limit the session",
            line=node.line_of(key),
            key=key,
            remediation="give `statements`: without them a session has all permissions of the role",
        )
    for place, several in (
        ("statements", aws.statements),
        *((f"tool_statements.{tool}", found) for tool, found in aws.tool_statements.items()),
    ):
        for number, one in enumerate(several):
            _check_statement(one, f"{key}.{place}[{number}]", node, problems)
    if aws.sign_service and templates:
        problems.add(
            "has no meaning beside `headers` and `env`",
            line=node.line_of(f"{key}.sign_service"),
            key=f"{key}.sign_service",
            remediation="either sign calls or send the session with them",
        )
    check_names(templates, GIVES, key, node, problems)


def _check_statement(statement: Statement, key: str, node: Node, problems: Problems) -> None:
    def note(what: str, remediation: str) -> None:
        problems.add(what, line=node.line_of(key), key=key, remediation=remediation)

    if strange := set(statement) - _KEYS:
        note(f"has no meaning with `{min(strange)[:40]}`", f"use {', '.join(sorted(_KEYS))}")
    if (
        statement.get("Effect") not in ("Allow", "Deny")
        or not statement.keys() & {"Action", "NotAction"}
        or not statement.keys() & {"Resource", "NotResource"}
    ):
        note("is not a statement of a session policy", "give `Effect`, `Action` and `Resource`")
    if any("{" in str(statement.get(one, "")) for one in _FIXED):
        note(
            "lets a task's parameters choose actions",
            "write actions literally; placeholders belong in resources and conditions",
        )
