# SPDX-License-Identifier: Apache-2.0
"""The sources of secrets that the configuration names, besides files and the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from remit.config.credentials.openbao import BaoSourceSection, check_known
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section
from remit.config.reading.yaml_lines import Node
from remit.config.sections.keys import KeysSection


class SecretsSection(Section, frozen=True, kw_only=True):
    """The source of `openbao:MOUNT/PATH#field`: a key-value store of either version."""

    openbao: Annotated[
        BaoSourceSection | None,
        Meta(description="The OpenBao. Default: `keys.openbao`, with its token."),
    ] = None


def bao_of(secrets: SecretsSection, keys: KeysSection) -> BaoSourceSection | None:
    """Return the OpenBao that references name, with remit's login there; `None` if there is none."""
    if secrets.openbao is not None or keys.openbao is None:
        return secrets.openbao
    own = keys.openbao
    return BaoSourceSection(address=own.address, token=own.token, namespace=own.namespace, tls_ca=own.tls_ca)


def references(part: object, place: str = "") -> Iterator[tuple[str, SecretRef]]:
    """Yield every reference to a secret below a part of the configuration, with its place."""
    if isinstance(part, SecretRef):
        if part.secret:
            yield place, part
        return
    below: Iterator[tuple[object, object]] = iter(())
    if isinstance(part, msgspec.Struct):
        below = ((name, getattr(part, name)) for name in part.__struct_fields__)
    elif isinstance(part, dict):
        below = iter(part.items())
    elif isinstance(part, tuple):
        below = iter(enumerate(part))
    for name, value in below:
        yield from references(value, f"{place}.{name}" if place else str(name))


def check_secrets(
    whole: msgspec.Struct, secrets: SecretsSection, keys: KeysSection, node: Node, problems: Problems
) -> None:
    """Note secrets that are unreadable: OpenBao is not configured, or its login is inside it."""
    if secrets.openbao is not None:
        check_known(secrets.openbao, "secrets.openbao", node, problems)
    at = bao_of(secrets, keys)
    login = [] if at is None else [ref for _, ref in references(at)]
    for place, ref in references(whole):
        if ref.scheme != "openbao":
            continue
        if at is None:
            problems.add(
                "is in OpenBao, but the address of OpenBao is missing",
                line=node.line_of(place),
                key=place,
                remediation="give `secrets.openbao` with `address`, and `token` or `auth`",
            )
        elif any(ref is one for one in login):
            problems.add(
                "is stored in the OpenBao that it gives access to",
                line=node.line_of(place),
                key=place,
                remediation="write it as `env:NAME`, `file:path` or `keyring:SERVICE/NAME`",
            )
