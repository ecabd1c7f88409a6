# SPDX-License-Identifier: Apache-2.0
"""The addresses that remit listens on, and its certificate."""

from __future__ import annotations

from collections.abc import Container
from ipaddress import ip_network
from typing import Annotated, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.section import Section, Text, UpstreamName
from remit.config.reading.yaml_lines import Node


class TlsSection(Section, frozen=True, kw_only=True):
    """The certificate of the one port; renewed files are loaded without a restart."""

    certificate: Annotated[Text, Meta(description="File of the certificate chain, in PEM.")]
    key: Annotated[Text, Meta(description="File of its private key, in PEM.")]
    client_certificates: Annotated[
        Literal["never", "ask"],
        Meta(
            description="`ask` requests a client certificate, such as an X.509-SVID; step 1 verifies "
            "it, not the handshake. Browsers may then prompt their users for one."
        ),
    ] = "never"


class ExtAuthzSection(Section, frozen=True, kw_only=True):
    """Envoy's external authorization: on a Unix socket, or over TLS with client certificates."""

    upstreams: Annotated[
        tuple[UpstreamName, ...],
        Meta(min_length=1, description="The upstreams to which Envoy sends requests itself."),
    ]
    resources: Annotated[
        tuple[UpstreamName, ...],
        Meta(description="Types of resources that `x-authzen-mapping` of their tools may name."),
    ] = ()
    socket: Annotated[str, Meta(description="The Unix socket. Default: none.")] = ""
    socket_open_to: Annotated[
        Literal["user", "group"],
        Meta(description="Who may connect to it: the user of remit, or its group."),
    ] = "user"
    http: Annotated[
        bool,
        Meta(
            description="Answer its HTTP form, too. Only for Envoy: there, status 200 alone is a permit. "
            "Others take every 2xx for one."
        ),
    ] = False
    host: Annotated[str, Meta(description="Address to listen on with TLS. Default: none.")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="Its port; 0 uses any free port.")] = 8701
    certificate: Annotated[str, Meta(description="File of remit's certificate chain, in PEM.")] = ""
    key: Annotated[str, Meta(description="File of its private key, in PEM.")] = ""
    clients_ca: Annotated[
        str, Meta(description="File of the authorities that sign Envoy's certificates, in PEM.")
    ] = ""
    clients: Annotated[
        tuple[Text, ...],
        Meta(description="DNS names or URIs (SPIFFE IDs), one of which Envoy's certificate must have."),
    ] = ()


class ListenSection(Section, frozen=True, kw_only=True):
    """The addresses that remit listens on."""

    host: Annotated[Text, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 uses any free port.")] = 8700
    public_url: Annotated[
        str, Meta(description="The address at which clients reach remit. Default: from host and port.")
    ] = ""
    tls: Annotated[
        TlsSection | None, Meta(description="TLS of the port; without it a proxy must provide TLS.")
    ] = None
    socket: Annotated[
        str,
        Meta(
            description="An additional Unix socket with the same endpoints, where a local process can "
            "authenticate by its user id and executable. Default: none."
        ),
    ] = ""
    socket_open_to: Annotated[
        Literal["user", "group", "all"],
        Meta(description="Who may connect to it: the user of remit, its group, or every local user."),
    ] = "user"
    ext_authz: Annotated[
        ExtAuthzSection | None,
        Meta(description="Answer Envoy about requests that it sends to upstreams itself."),
    ] = None
    proxies: Annotated[
        tuple[Text, ...],
        Meta(
            description="Addresses or networks of trusted proxies. Their `X-Forwarded-For` is used only "
            "for rate limits (sign-in attempts and unauthenticated requests of each client address) and for "
            "the network zones of `environment.networks`."
        ),
    ] = ()

    @property
    def url(self) -> str:
        """The public address, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.tls else "http"
        return (self.public_url or f"{scheme}://{host}:{self.port}").rstrip("/")


def check_listen(listen: ListenSection, upstreams: Container[str], node: Node, problems: Problems) -> None:
    """Note proxies whose addresses are invalid, and a listener that anyone could ask."""
    _check_ext_authz(listen, upstreams, node, problems)
    for place, named in enumerate(listen.proxies):
        try:
            ip_network(named)
        except ValueError:
            problems.add(
                f"`{named[:80]}` is neither an address nor a network",
                line=node.line_of(f"listen.proxies[{place}]"),
                key="listen.proxies",
                remediation="write `10.0.0.5` or `10.0.0.0/8`",
            )


def _check_ext_authz(
    listen: ListenSection, upstreams: Container[str], node: Node, problems: Problems
) -> None:
    section, key = listen.ext_authz, "listen.ext_authz"
    if section is None:
        return
    for name in section.upstreams:
        if name not in upstreams:
            problems.add(
                f"`{name}` is no upstream",
                line=node.line_of(key),
                key=f"{key}.upstreams",
                remediation="add it under `upstreams`",
            )
    given = (section.certificate, section.key, section.clients_ca, section.clients)
    if not section.socket and not section.host:
        fault, remediation = "has no address", "give `socket`, or `host` with certificates"
    elif section.host and not all(given):
        fault = "would answer anyone who connects"
        remediation = "give `certificate`, `key`, `clients_ca` and `clients`"
    elif not section.host and any(given):
        fault, remediation = "has certificates and no `host`", "give `host`, or leave them out"
    else:
        return
    problems.add(fault, line=node.line_of(key), key=key, remediation=remediation)
