# SPDX-License-Identifier: Apache-2.0
"""The source of an upstream's credential that lives for one task."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remit.config.credentials.aws import AwsLeaseSection, check_aws
from remit.config.credentials.checks import check_secret
from remit.config.credentials.github import GitHubLeaseSection, check_github
from remit.config.credentials.kubernetes import KubernetesLeaseSection, check_kubernetes
from remit.config.credentials.oauth import OAuthLeaseSection, check_oauth
from remit.config.credentials.openbao import OpenBaoLeaseSection, check_openbao
from remit.config.credentials.password import PasswordLeaseSection, check_password
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node

#: The kinds of sources.
SOURCES = ("oauth", "postgres", "openbao", "aws", "github", "kubernetes", "password")


class PostgresLeaseSection(Section, frozen=True, kw_only=True):
    """A PostgreSQL database: a role for each task, dropped when the task ends."""

    admin: Annotated[
        SecretRef,
        Meta(
            description="Address of the database with a role that may create roles (`CREATEROLE`) and "
            "grant the tasks' privileges, as `env:X` or `file:path`: "
            "`postgresql://user:password@host:port/database`."
        ),
    ]
    grants: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Statements that grant a role its privileges. `{role}` is the role; `{task}`, "
            "`{agent}`, `{person}` and the task's parameters by name are quoted literals; do not quote "
            "them again.",
        ),
    ]
    connections: Annotated[
        int, Meta(ge=1, description="Maximum number of concurrent sessions of a role.")
    ] = 5


class LeaseSection(Section, frozen=True, kw_only=True):
    """A separate credential for each task, revoked when the task ends; exactly one source."""

    oauth: Annotated[OAuthLeaseSection | None, Meta(description="A token by OAuth 2.0.")] = None
    postgres: Annotated[PostgresLeaseSection | None, Meta(description="A role of a PostgreSQL database.")] = (
        None
    )
    openbao: Annotated[OpenBaoLeaseSection | None, Meta(description="A lease of OpenBao or Vault.")] = None
    aws: Annotated[AwsLeaseSection | None, Meta(description="A session of a role of AWS.")] = None
    github: Annotated[GitHubLeaseSection | None, Meta(description="A token of a GitHub App.")] = None
    kubernetes: Annotated[
        KubernetesLeaseSection | None, Meta(description="A token of a service account of Kubernetes.")
    ] = None
    password: Annotated[
        PasswordLeaseSection | None, Meta(description="A standing password that remit rotates.")
    ] = None
    headers: Annotated[
        dict[str, str],
        Meta(
            description="Headers of calls, with the source's values in braces: `{token}` of OAuth, "
            "GitHub (also `{basic}`), Kubernetes and OpenBao's `tokens`, which need no `headers`; "
            "`{user}`, `{password}`, `{host}`, `{port}` and `{database}` of PostgreSQL; "
            "`{access_key_id}`, `{secret_access_key}`, `{session_token}` and `{region}` of AWS; "
            "`{certificate}`, `{chain}`, `{issuing_ca}`, `{private_key}` and `{serial_number}` of "
            "OpenBao's `pki`; of its `path` every value that it returns, such as `{username}`; of its "
            "`static` `{username}`, `{password}`, `{host}`, `{port}` and `{database}`."
        ),
    ] = {}
    env: Annotated[
        dict[str, str],
        Meta(
            description="For an upstream with a `command`: variables of each task's process, with the "
            "source's values in braces, as in `headers`."
        ),
    ] = {}
    per: Annotated[
        Literal["task", "call"],
        Meta(description="Scope of a credential: all calls of a task, or one call. Only for a `url`."),
    ] = "task"

    @property
    def sources(self) -> dict[str, Section]:
        """The given sources, by name."""
        return {name: one for name in SOURCES if (one := getattr(self, name)) is not None}

    @property
    def shows(self) -> bool:
        """Whether the credential is a certificate that the connection presents."""
        pki = self.openbao is not None and self.openbao.pki is not None
        return pki and not self.headers and not self.env

    @property
    def carries_itself(self) -> bool:
        """Whether calls carry the credential in a known way, without `headers`."""
        tokens = self.openbao.tokens if self.openbao is not None else None
        signs = self.aws is not None and bool(self.aws.sign_service)
        return (
            signs
            or self.shows
            or any(one is not None for one in (self.oauth, self.github, self.kubernetes, tokens))
        )


def check_lease(lease: LeaseSection, key: str, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    if len(lease.sources) != 1:
        problems.add(
            "has no source" if not lease.sources else "has more than one source",
            line=node.line_of(key),
            key=key,
            remediation=f"give one of {', '.join(f'`{one}`' for one in SOURCES)}",
        )
    if lease.oauth is not None:
        check_oauth(lease.oauth, lease.headers | lease.env, f"{key}.oauth", node, problems)
    if lease.password is not None:
        check_password(lease.password, f"{key}.password", node, problems)
    if lease.postgres is not None:
        check_secret(lease.postgres.admin, f"{key}.postgres.admin", node, problems)
    if lease.openbao is not None:
        check_openbao(lease.openbao, f"{key}.openbao", node, problems)
    if lease.aws is not None:
        check_aws(lease.aws, lease.headers | lease.env, f"{key}.aws", node, problems)
    if lease.github is not None:
        check_github(lease.github, lease.headers | lease.env, f"{key}.github", node, problems)
    if lease.kubernetes is not None:
        check_kubernetes(lease.kubernetes, lease.headers | lease.env, f"{key}.kubernetes", node, problems)
    if lease.per == "call" and (lease.aws is not None or lease.shows):
        problems.add(
            "cannot be for one call",
            line=node.line_of(f"{key}.per"),
            key=f"{key}.per",
            remediation="leave `per` out: each ended session needs a place in the role's policies, and each "
            "certificate its own connection",
        )
    if not lease.carries_itself and lease.sources and not lease.headers and not lease.env:
        problems.add(
            "does not state how calls send the credential",
            line=node.line_of(key),
            key=key,
            remediation='give `headers`, such as `X-Database: "postgresql://{user}:{password}@{host}/{database}"`',
        )
