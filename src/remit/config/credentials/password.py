# SPDX-License-Identifier: Apache-2.0
"""A standing password that remit rotates."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.credentials.checks import Url, check_secret, check_source
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Seconds, Section, Text
from remit.config.reading.yaml_lines import Node

_PATH = r"^[A-Za-z0-9_./-]+$"


class KvSection(Section, frozen=True, kw_only=True):
    """A place in OpenBao's key-value store (version 2) from which other programs read the password."""

    address: Annotated[Url, Meta(description="Address of OpenBao, without a path.")]
    token: Annotated[SecretRef, Meta(description="remit's token there.")]
    mount: Annotated[Text, Meta(pattern=_PATH, description="Mount of the engine.")] = "secret"
    path: Annotated[Text, Meta(pattern=_PATH, description="Path of the secret below it.")]
    field: Annotated[Text, Meta(description="The field that holds the password.")] = "password"
    namespace: Annotated[str, Meta(description="Namespace of the path.")] = ""
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


class PasswordLeaseSection(Section, frozen=True, kw_only=True):
    """A standing role of PostgreSQL, for databases that do not permit a role for each task: one password for
    all tasks, which remit rotates. It is not a lease; nothing of it ends with a task.
    """

    database: Annotated[
        Text, Meta(description="The database: `postgresql://host:port/database`, without name or password.")
    ]
    user: Annotated[Text, Meta(description="The role. It must be allowed to change its own password.")]
    first: Annotated[
        SecretRef,
        Meta(
            description="The password until remit sets another. Later it is used only if remit's own "
            "password is refused."
        ),
    ]
    every: Annotated[Seconds, Meta(ge=60, description="Rotation interval.")] = 24 * 3600
    publish: Annotated[
        KvSection | None, Meta(description="Where to publish it for other readers. Default: nowhere.")
    ] = None


def check_password(password: PasswordLeaseSection, key: str, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    check_secret(password.first, f"{key}.first", node, problems)
    if "@" in password.database:
        problems.add(
            "contains a name or password",
            line=node.line_of(f"{key}.database"),
            key=f"{key}.database",
            remediation="write `postgresql://host:port/database`, and the role as `user`",
        )
    if password.publish is not None:
        check_secret(password.publish.token, f"{key}.publish.token", node, problems)
        check_source(password.publish.address, f"{key}.publish.address", node, problems)
