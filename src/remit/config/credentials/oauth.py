# SPDX-License-Identifier: Apache-2.0
"""Authorization servers that issue tokens to tasks."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from remit.config.credentials.checks import Url, check_names, check_secret, check_source
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Seconds, Section, Text
from remit.config.reading.yaml_lines import Node

#: The values of a server that templates may name.
GIVES: Final = frozenset({"token"})


class OAuthClientSection(Section, frozen=True, kw_only=True):
    """Remit as a client of an authorization server."""

    token_url: Annotated[Url, Meta(description="Its token endpoint (RFC 6749).")]
    issuer: Annotated[
        str,
        Meta(description="Its issuer identifier, the audience of assertions. Default: `token_url`."),
    ] = ""
    client_id: Annotated[Text, Meta(description="remit's client id there.")]
    client_secret: Annotated[SecretRef | None, Meta(description="Its secret.")] = None
    client_key: Annotated[
        SecretRef | None,
        Meta(
            description="Its private key instead, as `env:X` or `file:path`: a JWK on one line, of P-256, "
            "P-384, Ed25519 or RSA (`private_key_jwt`, RFC 7523)."
        ),
    ] = None
    client_auth: Annotated[
        Literal["basic", "post"],
        Meta(description="Whether id and secret go in a header (`client_secret_basic`) or in the form."),
    ] = "basic"
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""

    @property
    def called(self) -> str:
        """The server's name."""
        return self.issuer or self.token_url


class ClientRotationSection(Section, frozen=True, kw_only=True):
    """The client's own record at the server (RFC 7592), through which remit rotates its secret."""

    registration_url: Annotated[Url, Meta(description="`registration_client_uri` of the client.")]
    registration_token: Annotated[
        SecretRef,
        Meta(
            description="Initial `registration_access_token`. If the server returns a new one with an "
            "answer, remit stores it."
        ),
    ]
    every: Annotated[Seconds, Meta(ge=60, description="Rotation interval of the secret.")] = 30 * 86_400


class OAuthLeaseSection(OAuthClientSection, frozen=True, kw_only=True):
    """An OAuth 2.0 authorization server: a token for each task."""

    grant: Annotated[
        Literal["client-credentials", "token-exchange", "jwt-bearer", "id-jag", "refresh-token"],
        Meta(
            description="Grant for tokens. `client-credentials`: for remit itself. The others issue "
            "tokens for the task's person: `token-exchange` (RFC 8693) and `jwt-bearer` (RFC 7523) with "
            "remit's assertion, signed with the keys at `/oauth/jwks`; `id-jag` with an assertion of "
            "the organisation's provider, `idp`; `refresh-token` with the person's consent, given once "
            "by connecting the upstream at `/oauth/account`."
        ),
    ] = "client-credentials"
    authorize_url: Annotated[
        str,
        Meta(
            description="For `refresh-token`: its authorization endpoint. People return to "
            "`/oauth/account/arrive/NAME`, with the name of the upstream."
        ),
    ] = ""
    idp: Annotated[
        OAuthClientSection | None,
        Meta(
            description="For `id-jag`: the provider that exchanges remit's assertion for an identity "
            "assertion for this server."
        ),
    ] = None
    rotate: Annotated[
        ClientRotationSection | None,
        Meta(description="Rotate `client_secret`, if the server supports it. Needs `revoke_url`."),
    ] = None
    revoke_url: Annotated[
        str,
        Meta(
            description="Its revocation endpoint (RFC 7009). Without it tokens are valid until they "
            "expire, and closures stay open until then."
        ),
    ] = ""
    introspect_url: Annotated[
        str, Meta(description="Its introspection endpoint (RFC 7662), asked if there is no `probe_url`.")
    ] = ""
    probe_url: Annotated[
        str,
        Meta(
            description="Address to test a token at the sink: a GET that answers 200 to 299 for a valid "
            "token, and 401 or 403 for a revoked one."
        ),
    ] = ""
    scopes: Annotated[tuple[Text, ...], Meta(description="Scopes of every token.")] = ()
    tool_scopes: Annotated[
        dict[str, tuple[Text, ...]],
        Meta(
            description="Further scopes by tool, requested if the task is granted the tool. A task "
            "without any scope gets no token."
        ),
    ] = {}
    may_give: Annotated[
        tuple[Text, ...],
        Meta(
            description="Scopes that it may add to the requested ones, such as its own names for them. "
            "A token with any other scope is revoked, and the call is refused."
        ),
    ] = ()
    iss_required: Annotated[
        bool,
        Meta(
            description="For `refresh-token`: whether its authorization responses always name the "
            "issuer (`iss` of RFC 9207; `authorization_response_iss_parameter_supported` in its "
            "metadata). Then a response without it is refused. A response with it is always compared "
            "with `issuer`."
        ),
    ] = False
    audience: Annotated[str, Meta(description="Parameter `audience`, if the server requires it.")] = ""
    resource: Annotated[str, Meta(description="Parameter `resource` (RFC 8707).")] = ""


def check_oauth(
    oauth: OAuthLeaseSection, templates: dict[str, str], key: str, node: Node, problems: Problems
) -> None:
    """Note problems across several values; `templates` are what carries the credential."""
    check_names(templates, GIVES, key, node, problems)
    _check_client(oauth, key, node, problems)
    for name in ("authorize_url", "revoke_url", "introspect_url", "probe_url"):
        check_source(getattr(oauth, name), f"{key}.{name}", node, problems)
    if not oauth.introspect_url and not oauth.probe_url:
        problems.add(
            "cannot prove that a token is revoked",
            line=node.line_of(key),
            key=key,
            remediation="give `probe_url`, where the sink refuses a revoked token, or `introspect_url`",
        )
    if oauth.grant == "refresh-token" and not (oauth.authorize_url and oauth.revoke_url):
        problems.add(
            "needs `authorize_url` and `revoke_url` for `refresh-token`",
            line=node.line_of(key),
            key=key,
            remediation="give both: people consent at the first, and remit revokes tokens at the second",
        )
    if oauth.iss_required and (oauth.grant != "refresh-token" or not oauth.issuer):
        problems.add(
            "needs `issuer`" if oauth.grant == "refresh-token" else "has no meaning with this `grant`",
            line=node.line_of(f"{key}.iss_required"),
            key=f"{key}.iss_required",
            remediation="give `issuer`, as in the server's metadata"
            if oauth.grant == "refresh-token"
            else "remove it, or write `grant: refresh-token`",
        )
    if (oauth.grant == "id-jag") != (oauth.idp is not None):
        problems.add(
            "has no meaning with this `grant`" if oauth.idp else "needs an identity provider for `id-jag`",
            line=node.line_of(f"{key}.idp" if oauth.idp else key),
            key=f"{key}.idp" if oauth.idp else key,
            remediation="remove it, or write `grant: id-jag`" if oauth.idp else "give `idp`",
        )
    if oauth.rotate is not None:
        check_source(oauth.rotate.registration_url, f"{key}.rotate.registration_url", node, problems)
        check_secret(oauth.rotate.registration_token, f"{key}.rotate.registration_token", node, problems)
        if oauth.client_secret is None or not oauth.revoke_url:
            problems.add(
                "needs `client_secret` and `revoke_url`",
                line=node.line_of(f"{key}.rotate"),
                key=f"{key}.rotate",
                remediation="give both: remit rotates the secret and tests it at `revoke_url`",
            )
    if oauth.idp is not None:
        _check_client(oauth.idp, f"{key}.idp", node, problems)


def _check_client(client: OAuthClientSection, key: str, node: Node, problems: Problems) -> None:
    check_source(client.token_url, f"{key}.token_url", node, problems)
    for name in ("client_secret", "client_key"):
        given = getattr(client, name)
        if given is not None:
            check_secret(given, f"{key}.{name}", node, problems)
    if (client.client_secret is None) == (client.client_key is None):
        problems.add(
            "has neither a secret nor a key" if client.client_key is None else "has both a secret and a key",
            line=node.line_of(key),
            key=key,
            remediation="give `client_key` or `client_secret`",
        )
