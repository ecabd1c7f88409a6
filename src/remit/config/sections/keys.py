# SPDX-License-Identifier: Apache-2.0
"""The place of remit's own keys, and how often they are replaced."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import NAME_IT, SecretRef
from remit.config.reading.section import Name, Seconds, Section, Text
from remit.config.reading.yaml_lines import Node

DAY_S = 86_400


class OpenBaoSection(Section, frozen=True, kw_only=True):
    """An OpenBao server whose transit engine holds the private keys."""

    address: Annotated[Text, Meta(pattern=r"^https?://[^\s/]+$", description="Its address, without a path.")]
    token: Annotated[
        SecretRef,
        Meta(
            description="remit's token, as `env:X` or `file:path`; a file is read at each request, so "
            "that an OpenBao agent may replace it."
        ),
    ]
    mount: Annotated[Text, Meta(description="Mount of the transit engine.")] = "transit"
    prefix: Annotated[
        Name, Meta(description="Prefix of the names of remit's keys; each installation needs another prefix.")
    ] = "remit"
    namespace: Annotated[str, Meta(description="Namespace of the mount.")] = ""
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


class KeysSection(Section, frozen=True, kw_only=True):
    """The place of the keys for tokens, checkpoints, sealing and remit's own trust domain: never in the
    store.
    """

    kind: Annotated[
        Literal["file", "openbao"],
        Meta(
            description="`file`: in files of the folder. `openbao`: in OpenBao; the folder records "
            "their names."
        ),
    ] = "file"
    path: Annotated[Text, Meta(description="Folder of the keys, readable only by remit.")] = ".remit/keys"
    openbao: Annotated[OpenBaoSection | None, Meta(description="The OpenBao of `kind: openbao`.")] = None
    rotate_every: Annotated[
        Seconds,
        Meta(
            ge=0,
            description="Age at which the key for tokens is replaced; `0s` disables automatic replacement.",
        ),
    ] = 30 * DAY_S


def check_keys(keys: KeysSection, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    if keys.kind == "openbao" and keys.openbao is None:
        problems.add(
            "needs the address of OpenBao",
            line=node.line_of("keys.kind"),
            key="keys.kind",
            remediation="give `keys.openbao` with `address` and `token`",
        )
    if keys.openbao is None:
        return
    if keys.kind != "openbao":
        problems.add(
            "has no effect with keys in files",
            line=node.line_of("keys.openbao"),
            key="keys.openbao",
            remediation="write `kind: openbao`, or leave it out",
        )
    parts = urlsplit(keys.openbao.address)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        problems.add(
            "would send remit's token in the clear",
            line=node.line_of("keys.openbao.address"),
            key="keys.openbao.address",
            remediation="use https, or OpenBao on this machine",
        )
    if not keys.openbao.token.secret:
        problems.add(
            "is written literally",
            line=node.line_of("keys.openbao.token"),
            key="keys.openbao.token",
            remediation=NAME_IT,
        )
