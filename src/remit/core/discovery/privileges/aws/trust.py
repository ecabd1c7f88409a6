# SPDX-License-Identifier: Apache-2.0
"""Policies that trust too many: roles that anyone may assume, deputies that can be confused, open resources.

Sources: "The confused deputy problem" in the IAM user guide; the providers' pages on OIDC for GitHub Actions,
GitLab and Terraform Cloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.aws.account import NO_ACCOUNT, AwsExport, AwsPrincipal, AwsResource
from remit.core.discovery.privileges.aws.policy import AwsStatement, Condition
from remit.core.findings.kinds import Severity

#: Keys of which a fixed value tells callers apart.
_NARROWS: Final = frozenset({
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn",
    "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceip",
    "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:userid", "aws:username", "sts:externalid",
    "kms:calleraccount", "kms:viaservice",
})  # fmt: skip
_EXACT: Final = frozenset({
    "stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike", "ipaddress",
})  # fmt: skip
#: Providers of identities to whose tokens anyone can sign up, and the claim that says whose one is.
_SHARED_PROVIDERS: Final = {
    "token.actions.githubusercontent.com": ("sub", "any repository of GitHub"),
    "gitlab.com": ("sub", "any project of GitLab"),
    "app.terraform.io": ("sub", "any workspace of Terraform Cloud"),
    "agent.buildkite.com": ("sub", "any pipeline of Buildkite"),
    "cognito-identity.amazonaws.com": ("aud", "any identity pool of Cognito"),
    "accounts.google.com": ("aud", "any application of Google"),
    "www.amazon.com": ("app_id", "any application of Amazon"),
    "graph.facebook.com": ("app_id", "any application of Facebook"),
}


class OpenTrust(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that lets too many in: `whom` in words, and the remediation."""

    about: str
    which: str
    says: str
    place: FilePlace
    severity: Severity
    remediation: str


def open_trusts(export: AwsExport) -> Iterator[OpenTrust]:
    """Yield what trusts too many, of roles and of other resources."""
    for role in export.principals.values():
        if role.trust is None or role.linked or role.kind != "role":
            continue
        for statement in role.trust.statements:
            if not statement.denies:
                yield from _of_role(export, role, statement)
    for resource in export.resources.values():
        for statement in resource.policy.statements if resource.policy else ():
            if not statement.denies:
                yield from _of_resource(resource, statement)


def _of_role(export: AwsExport, role: AwsPrincipal, statement: AwsStatement) -> Iterator[OpenTrust]:
    where = f"statement {statement.sid} of the trust policy of role `{role.name}`"
    if statement.not_principals is not None:
        yield _trust(role, "not-principal", f"{where} trusts everyone but a few", Severity.CRITICAL)
    for kind, name in statement.principals or ():
        if kind == "*" and not _narrowed(statement.conditions, external=False):
            limit = "" if not _external_id(statement) else ", with an external id"
            severity = Severity.HIGH if limit else Severity.CRITICAL
            yield _trust(
                role, "anyone", f"{where} lets anyone with an AWS account assume it{limit}", severity
            )
        elif kind == "AWS":
            yield from _of_account(export, role, statement, name, where)
        elif kind == "Federated":
            yield from _of_provider(role, statement, name, where)


def _of_account(
    export: AwsExport, role: AwsPrincipal, statement: AwsStatement, name: str, where: str
) -> Iterator[OpenTrust]:
    account = name if name.isdigit() else (name.split(":") + [""] * 5)[4]
    known = export.accounts | {role.account, export.management}
    whole = name.isdigit() or name.endswith(":root")
    if not whole or account in known or role.account == NO_ACCOUNT or _narrowed(statement.conditions):
        return
    yield OpenTrust(
        about=f"principal:{role.arn}",
        which=f"external {account}",
        says=f"{where} lets account {account}, which is not in the export, assume it without an external id",
        place=role.place,
        severity=Severity.MEDIUM,
        remediation=f"demand an external id (`sts:ExternalId`), or name one role of account {account}",
    )


def _of_provider(role: AwsPrincipal, statement: AwsStatement, name: str, where: str) -> Iterator[OpenTrust]:
    provider = name.rpartition("oidc-provider/")[2]
    claim, whose = _SHARED_PROVIDERS.get(provider, ("", ""))
    if not claim and provider.startswith("oidc.eks."):
        claim, whose = "sub", "any pod of the cluster"
    if not claim or not any("webidentity" in each or "*" in each for each in statement.actions):
        return
    severity = Severity.HIGH if "cluster" in whose else Severity.CRITICAL
    values = [
        value
        for each in statement.conditions
        if each.key == f"{provider}:{claim}" and each.operator in _EXACT and not each.if_exists
        for value in each.values
    ]
    if any(each.key == f"{provider}:{claim}" and each.every for each in statement.conditions):
        values = []
    if claim == "sub" and not values:
        values = _other_claims(statement, provider)
    wide = [each for each in values if _any_owner(each)]
    if values and not wide:
        return
    yield OpenTrust(
        about=f"principal:{role.arn}",
        which=f"provider {provider}",
        says=f"{where} lets {whose} assume it"
        + (f": `{claim}` may be `{wide[0]}`" if wide else f": it does not check `{provider}:{claim}`"),
        place=role.place,
        severity=severity,
        remediation=f"demand one owner and name with `StringEquals` on `{provider}:{claim}`",
    )


def _other_claims(statement: AwsStatement, provider: str) -> list[str]:
    """Return values of claims of GitHub that tell owners apart, such as `repository_owner_id`."""
    claims = ("repository", "repository_owner", "repository_id", "repository_owner_id", "job_workflow_ref")
    return [
        value
        for each in statement.conditions
        if each.key in {f"{provider}:{claim}" for claim in claims} and each.operator in _EXACT
        for value in each.values
    ]


def _any_owner(value: str) -> bool:
    """Return whether a pattern of a subject leaves the owner open: a wildcard before the first `/`."""
    subject = value.removeprefix("repo:").removeprefix("project_path:").removeprefix("organization:")
    owner = subject.partition("/")[0] if "/" in subject else subject.partition(":")[0]
    return "*" in owner or "?" in owner


def _trust(role: AwsPrincipal, which: str, says: str, severity: Severity) -> OpenTrust:
    return OpenTrust(
        about=f"principal:{role.arn}",
        which=which,
        says=says,
        place=role.place,
        severity=severity,
        remediation="name the principals that need the role, or demand `aws:PrincipalOrgID`",
    )


def _of_resource(resource: AwsResource, statement: AwsStatement) -> Iterator[OpenTrust]:
    where = f"statement {statement.sid} of the policy of {resource.kind} `{resource.name}`"
    everyone = statement.not_principals is not None or ("*", "*") in (statement.principals or ())
    if everyone and not _narrowed(statement.conditions):
        severity = (
            Severity.MEDIUM if resource.kind == "bucket" and _only_reads(statement) else Severity.CRITICAL
        )
        yield OpenTrust(
            about=f"resource:{resource.arn}",
            which="anyone",
            says=f"{where} lets anyone use it: {', '.join(f'`{each}`' for each in statement.actions[:3])}",
            place=resource.place,
            severity=severity,
            remediation="name the principals that need it, or demand `aws:PrincipalOrgID`",
        )
    services = [name for kind, name in statement.principals or () if kind == "Service"]
    if services and not _narrowed(statement.conditions) and resource.kind in ("function", "queue", "topic"):
        yield OpenTrust(
            about=f"resource:{resource.arn}",
            which=f"service {services[0]}",
            says=f"{where} lets `{services[0]}` use it for any customer of AWS",
            place=resource.place,
            severity=Severity.LOW,
            remediation="demand `aws:SourceArn` or `aws:SourceAccount`",
        )


def _only_reads(statement: AwsStatement) -> bool:
    return bool(statement.actions) and all(
        each.partition(":")[2].startswith(("get", "list")) for each in statement.actions
    )


def _external_id(statement: AwsStatement) -> bool:
    return any(each.key == "sts:externalid" for each in statement.conditions)


def _narrowed(conditions: Iterable[Condition], *, external: bool = True) -> bool:
    """Return whether a condition demands a fixed value that tells callers apart."""
    return any(
        each.key in _NARROWS
        and each.operator in _EXACT
        and not each.if_exists
        and each.every is not True
        and (external or each.key != "sts:externalid")
        and each.values
        and not any(value in ("*", "0.0.0.0/0", "::/0") for value in each.values)
        for each in conditions
    )
