# SPDX-License-Identifier: Apache-2.0
"""The authorities on workload identity: token issuers, and SPIFFE trust domains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.section import Name, Seconds, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.core.errors import Malformed
from remit.core.identity.platforms import PLATFORMS, Platform
from remit.core.identity.posture import PostureClaim, PostureType
from remit.core.identity.workload import SpiffeId
from remit.core.keys.jwks import USUAL

PlatformName = Literal["kubernetes", "github-actions", "gitlab", "aws", "gcp", "azure"]
Use = Literal["workloads", "people", "id-jag"]
Algorithm = Literal["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

#: The name of a fact, such that every policy language can write it as an attribute.
FactName = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$", extra={"rule": "use a-z, 0-9 and `_`, beginning with a letter"}),
]

assert set(get_args(PlatformName)) == set(PLATFORMS)


class PostureSection(Section, frozen=True, kw_only=True):
    """A claim about device or build that policies may read, as `context.posture.claims.NAME`."""

    claim: Annotated[Text, Meta(description="The claim's name, or an RFC 6901 pointer into the claims.")]
    type: Annotated[
        PostureType, Meta(description="Its type; a value of another type counts as not stated.")
    ] = "string"


class IssuerSection(Section, frozen=True, kw_only=True):
    """A token issuer (OpenID Connect, or any that publishes a key set)."""

    preset: Annotated[
        PlatformName | None,
        Meta(description="A platform whose issuer, algorithms and claims are known. Default: any issuer."),
    ] = None
    issuer: Annotated[str, Meta(description="Its exact `iss`; optional if the preset has one.")] = ""
    audience: Annotated[
        str,
        Meta(description="The `aud` that its tokens must have. Default: the public address of remit."),
    ] = ""
    use: Annotated[
        tuple[Use, ...],
        Meta(
            min_length=1,
            description="What its tokens may prove: `workloads` (its subjects are programs), `people`, "
            "or `id-jag` (which agent acts for which person).",
        ),
    ] = ("workloads",)
    algorithms: Annotated[
        tuple[Algorithm, ...],
        Meta(
            description="Signature algorithms that are accepted; Default: those of the preset, or the "
            "standard ones."
        ),
    ] = ()
    jwks_uri: Annotated[str, Meta(description="Address of its key set. Default: from its metadata.")] = ""
    jwks_file: Annotated[str, Meta(description="File of its key set, instead of an address.")] = ""
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""
    bearer_file: Annotated[
        str,
        Meta(
            description="File of the token for `jwks_uri`, read for each request; a Kubernetes API "
            "server requires it."
        ),
    ] = ""
    private: Annotated[bool, Meta(description="Whether it may be at an address of a private network.")] = (
        False
    )
    max_token_life_s: Annotated[
        Seconds, Meta(ge=60, description="Tokens with a longer lifetime are refused.")
    ] = 24 * 3600
    posture: Annotated[
        dict[FactName, PostureSection],
        Meta(description="Claims about device or build that policies may read, by the name that they use."),
    ] = {}

    @property
    def platform(self) -> Platform | None:
        """The platform of the preset."""
        return PLATFORMS[self.preset] if self.preset else None

    @property
    def name_of_issuer(self) -> str:
        """The `iss` of its tokens; empty if neither the section nor its preset gives one."""
        return self.issuer or (self.platform.issuer if self.platform else "")

    @property
    def let_in(self) -> dict[str, PostureClaim]:
        """The claims that policies may read."""
        return {name: PostureClaim(one.claim, one.type) for name, one in self.posture.items()}

    @property
    def accepted(self) -> frozenset[str]:
        """The accepted algorithms."""
        return frozenset(self.algorithms or (self.platform.algorithms if self.platform else USUAL))


class TrustDomainSection(Section, frozen=True, kw_only=True):
    """The source of a SPIFFE trust domain's bundle: a file, an endpoint or the Workload API."""

    bundle_file: Annotated[
        str,
        Meta(
            description="File of the trust bundle: a SPIFFE bundle (JWK Set), or certificates in PEM. With "
            "`endpoint_id` it is the initial bundle."
        ),
    ] = ""
    bundle_endpoint: Annotated[
        str, Meta(description="Address of a bundle endpoint (`https_web`, or `https_spiffe` with an ID).")
    ] = ""
    endpoint_id: Annotated[
        str, Meta(description="SPIFFE ID that the endpoint's server must present (`https_spiffe`).")
    ] = ""
    workload_api: Annotated[
        str,
        Meta(
            description="Socket of a Workload API, `unix:///path`; `env` takes it from "
            "`SPIFFE_ENDPOINT_SOCKET`."
        ),
    ] = ""
    tls_ca: Annotated[
        str, Meta(description="File of the certificate authorities to trust for the endpoint.")
    ] = ""
    private: Annotated[
        bool, Meta(description="Whether the endpoint may be at an address of a private network.")
    ] = False


class TrustSection(Section, frozen=True, kw_only=True):
    """The authorities on workload identity. Others are not trusted."""

    issuers: Annotated[dict[Name, IssuerSection], Meta(description="Issuers of tokens, by name.")] = {}
    spiffe: Annotated[
        dict[Text, TrustDomainSection], Meta(description="SPIFFE trust domains, by their names.")
    ] = {}
    leeway_s: Annotated[
        Seconds, Meta(ge=0, le=300, description="Permitted clock difference between an issuer and remit.")
    ] = 30
    keys_kept_s: Annotated[
        Seconds,
        Meta(ge=60, description="How long known keys stay valid while they cannot be refreshed."),
    ] = 24 * 3600
    plain_loopback: Annotated[
        bool, Meta(description="Whether issuers on this machine may be reached by `http`; for development.")
    ] = False


def check_trust(trust: TrustSection, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    believed: dict[tuple[str, str], str] = {}
    types: dict[str, str] = {}
    for name, issuer in trust.issuers.items():
        key = f"trust.issuers.{name}"
        for at, message, remediation in _issuer_faults(issuer, trust.plain_loopback):
            where = f"{key}.{at}" if at else key
            problems.add(message, line=node.line_of(where), key=where, remediation=remediation)
        for fact, one in issuer.posture.items():
            if types.setdefault(fact, one.type) != one.type:
                where = f"{key}.posture.{fact}.type"
                problems.add(
                    f"differs from `{types[fact]}`, which another issuer gives the same name",
                    line=node.line_of(where),
                    key=where,
                    remediation="give it the same type, or another name",
                )
        for use in issuer.use:
            # Two key sets with one `iss`: the holder of a key of one could issue tokens for a subject of the
            # other.
            other = believed.setdefault((issuer.name_of_issuer, use), name)
            if other != name and issuer.name_of_issuer:
                problems.add(
                    f"has the same issuer as `{other}`, for the same use",
                    line=node.line_of(key),
                    key=key,
                    remediation="give each cluster its own issuer, or keep one of them",
                )
    for name, domain in trust.spiffe.items():
        key = f"trust.spiffe.{name}"
        for at, message, remediation in _domain_faults(name, domain):
            where = f"{key}.{at}" if at else key
            problems.add(message, line=node.line_of(where), key=where, remediation=remediation)


Fault = tuple[str, str, str]


def _issuer_faults(issuer: IssuerSection, plain_loopback: bool) -> Iterator[Fault]:
    platform, name = issuer.platform, issuer.name_of_issuer
    if not name:
        like = f" like `{platform.issuer_pattern}`" if platform and platform.issuer_pattern else ""
        yield "", "has no issuer", f"write `issuer:` with the `iss` of its tokens{like}"
        return
    if fault := address_fault(name, plain_loopback):
        yield "issuer", fault, "write the exact `iss` of its tokens"
    pattern = platform.issuer_pattern if platform else ""
    if pattern and not re.fullmatch(pattern, name):
        yield (
            "issuer",
            f"is not an issuer of {platform.title if platform else ''}",
            f"it must look like `{pattern}`",
        )
    if issuer.jwks_uri and issuer.jwks_file:
        yield "jwks_file", "is given beside `jwks_uri`", "keep one of them"
    if issuer.jwks_uri and (fault := address_fault(issuer.jwks_uri, plain_loopback)):
        yield "jwks_uri", fault, "write `https://host/path`"
    if issuer.bearer_file and not issuer.jwks_uri:
        # Metadata could name any address, and the token would go there.
        yield "bearer_file", "has a token but no `jwks_uri`", "write `jwks_uri:`"
    if issuer.posture and "workloads" not in issuer.use:
        yield "posture", "belongs to identities of workloads", "remove it, or add `workloads` to `use`"
    if platform is not None and "workloads" not in issuer.use:
        yield "preset", "belongs to a platform for workloads", "remove it, or add `workloads` to `use`"


def _domain_faults(name: str, domain: TrustDomainSection) -> Iterator[Fault]:
    try:
        if SpiffeId.parse(f"spiffe://{name}").path:
            raise Malformed("a path")
    except Malformed:
        yield "", "is not a trust domain", "write its name in lower case, without `spiffe://`"
    sources = [domain.bundle_endpoint, domain.workload_api]
    if not domain.endpoint_id:
        sources.append(domain.bundle_file)
    if sum(map(bool, sources)) != 1:
        yield (
            "",
            "must have one bundle source",
            ("give one of `bundle_file`, `bundle_endpoint` and `workload_api`"),
        )
    if domain.bundle_endpoint and (fault := address_fault(domain.bundle_endpoint, False)):
        yield "bundle_endpoint", fault, "write `https://host/path`"
    if domain.workload_api not in ("", "env") and not domain.workload_api.startswith("unix:///"):
        yield "workload_api", "is not a socket", "write `unix:///path`, or `env`"
    if domain.endpoint_id:
        try:
            fits = SpiffeId.parse(domain.endpoint_id).trust_domain == name
        except Malformed:
            fits = False
        if not fits or not domain.bundle_endpoint or not domain.bundle_file:
            yield (
                "endpoint_id",
                "cannot be checked",
                (f"give an ID of `{name}`, `bundle_endpoint`, and an initial `bundle_file`"),
            )


def address_fault(url: str, plain_loopback: bool) -> str:
    """Return what is wrong with an external address; empty if it is valid."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not an address"
    local = plain_loopback and (host in ("localhost", "::1") or host.startswith("127."))
    if not host or any(character.isspace() for character in url) or "#" in url or "@" in parts.netloc:
        return "is not an address"
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        return "is not an https address"
    return ""
