# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault as a source of task credentials."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.credentials.checks import Url, check_secret, check_source
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node

_PATH = r"^[A-Za-z0-9_./-]+$"
Path = Annotated[str, Meta(pattern=_PATH)]


class BaoAuthSection(Section, frozen=True, kw_only=True):
    """A login at OpenBao: AppRole by `role_id` and `secret_id`, JWT or Kubernetes by `role` and `jwt`."""

    mount: Annotated[str, Meta(description="Mount of the auth method. Default: `approle` or `jwt`.")] = ""
    role_id: Annotated[str, Meta(description="AppRole: the role's id.")] = ""
    secret_id: Annotated[SecretRef | None, Meta(description="AppRole: the secret id.")] = None
    role: Annotated[str, Meta(description="JWT and Kubernetes: the name of the role.")] = ""
    jwt: Annotated[
        SecretRef | None,
        Meta(description="JWT and Kubernetes: the token, as `file:path`; read at each login."),
    ] = None

    @property
    def approle(self) -> bool:
        """Whether the login is AppRole."""
        return bool(self.role_id) or self.secret_id is not None


class BaoPkiSection(Section, frozen=True, kw_only=True):
    """A role of a PKI engine: a client certificate for each task, revoked by its serial number."""

    mount: Annotated[Path, Meta(description="Mount of the engine.")] = "pki"
    role: Annotated[
        Text,
        Meta(
            pattern=_PATH,
            description="The role that signs requests (`MOUNT/sign/ROLE`). Keys are P-256.",
        ),
    ]
    probe_url: Annotated[
        str,
        Meta(
            description="Address to test a certificate at the sink: a GET with it answers 200 to 299; "
            "with a revoked one the connection is refused, or the answer is 401 or 403. The upstream's "
            "`tls_ca` verifies it. Without it, OCSP is asked."
        ),
    ] = ""


class BaoStaticSection(Section, frozen=True, kw_only=True):
    """A static role of a database engine: one password for all tasks, changed when one of them ends."""

    mount: Annotated[Path, Meta(description="Mount of the engine.")] = "database"
    role: Annotated[
        Text,
        Meta(
            pattern=_PATH, description="The role (`MOUNT/static-creds/ROLE`, and `MOUNT/rotate-role/ROLE`)."
        ),
    ]


class BaoTokensSection(Section, frozen=True, kw_only=True):
    """A token role: a token for each task, with which the upstream itself reads secrets."""

    role: Annotated[
        Text, Meta(pattern=_PATH, description="The role (`auth/token/create/ROLE`). No batch tokens.")
    ]
    policies: Annotated[
        tuple[Text, ...], Meta(description="Policies of every token. Default: the role's.")
    ] = ()
    tool_policies: Annotated[
        dict[str, tuple[Text, ...]],
        Meta(description="Further policies by tool, requested if the task is granted the tool."),
    ] = {}


class BaoSourceSection(Section, frozen=True, kw_only=True):
    """An OpenBao or Vault, and remit's login there."""

    address: Annotated[Url, Meta(description="Its address, without a path.")]
    token: Annotated[SecretRef | None, Meta(description="remit's token there.")] = None
    auth: Annotated[BaoAuthSection | None, Meta(description="How remit logs in, instead of `token`.")] = None
    namespace: Annotated[str, Meta(description="Namespace of the path.")] = ""
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


class OpenBaoLeaseSection(BaoSourceSection, frozen=True, kw_only=True):
    """OpenBao or Vault: a credential of a secrets engine, revoked when the task ends. Exactly one of `path`,
    `pki`, `tokens` and `static`.
    """

    path: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_./-]*$",
            description="Path to read: `database/creds/crm-reader`. Secrets without a lease are refused.",
        ),
    ] = ""
    pki: Annotated[BaoPkiSection | None, Meta(description="A client certificate.")] = None
    tokens: Annotated[BaoTokensSection | None, Meta(description="A token of OpenBao itself.")] = None
    static: Annotated[
        BaoStaticSection | None, Meta(description="A standing role whose password OpenBao rotates.")
    ] = None
    parameters: Annotated[
        dict[Text, Text],
        Meta(
            description="Parameters: with them `path` is written instead of read (`ssh/creds/otp` with "
            "`ip`); for `pki` they are the names of the certificate. `{task}`, `{agent}`, `{person}`, "
            "`{lease}` and the task's parameters by name are filled in."
        ),
    ] = {}
    login: Annotated[
        str,
        Meta(
            description="The PostgreSQL database that accepts the credential, tested by a login: "
            "`postgresql://host:port/database`. Without it, OpenBao is asked about the lease; `static` "
            "needs it."
        ),
    ] = ""


def check_openbao(bao: OpenBaoLeaseSection, key: str, node: Node, problems: Problems) -> None:
    """Note problems across several values."""

    def note(what: str, remediation: str, at: str = key) -> None:
        problems.add(what, line=node.line_of(at), key=at, remediation=remediation)

    check_known(bao, key, node, problems)
    if sum((bool(bao.path), *(one is not None for one in (bao.pki, bao.tokens, bao.static)))) != 1:
        note("does not state what to obtain", "give one of `path`, `pki`, `tokens` and `static`")
    if bao.pki is not None and bao.pki.probe_url and not bao.pki.probe_url.startswith("https://"):
        note("is not an https URL", "write `https://host/path`", f"{key}.pki.probe_url")
    if (bao.tokens is not None or bao.static is not None) and bao.parameters:
        beside = "tokens" if bao.tokens is not None else "static"
        note(f"has no meaning beside `{beside}`", "remove it", f"{key}.parameters")
    if bao.static is not None and not bao.login:
        note(
            "cannot prove that a password is invalid",
            "give `login`, the database that accepts it: `postgresql://host:port/database`",
        )
    if "@" in bao.login:
        note(
            "contains a name or password",
            "write `postgresql://host:port/database`; OpenBao provides the rest",
            f"{key}.login",
        )
    elif bao.login and not bao.path and bao.static is None:
        note("has a meaning only with `path` and `static`", "remove it", f"{key}.login")


def check_known(bao: BaoSourceSection, key: str, node: Node, problems: Problems) -> None:
    """Note an OpenBao whose address, or remit's login there, is unusable."""
    check_source(bao.address, f"{key}.address", node, problems)
    if (bao.token is None) == (bao.auth is None):
        problems.add(
            "does not state how remit authenticates there",
            line=node.line_of(key),
            key=key,
            remediation="give one of `token` and `auth`",
        )
    if bao.token is not None:
        check_secret(bao.token, f"{key}.token", node, problems)
    if bao.auth is not None:
        _check_auth(bao.auth, f"{key}.auth", node, problems)


def _check_auth(auth: BaoAuthSection, key: str, node: Node, problems: Problems) -> None:
    whole = (
        auth.role_id and auth.secret_id is not None and not auth.role and auth.jwt is None
        if auth.approle
        else auth.role and auth.jwt is not None
    )
    if not whole:
        problems.add(
            "is an incomplete login",
            line=node.line_of(key),
            key=key,
            remediation="give `role_id` and `secret_id` for AppRole, or `role` and `jwt` for JWT and "
            "Kubernetes",
        )
    for name in ("secret_id", "jwt"):
        if (secret := getattr(auth, name)) is not None:
            check_secret(secret, f"{key}.{name}", node, problems)
