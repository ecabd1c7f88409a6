# SPDX-License-Identifier: Apache-2.0
"""The place of state and evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node


class StoreSection(Section, frozen=True, kw_only=True):
    """The place of state and evidence."""

    kind: Annotated[
        Literal["sqlite", "postgres"],
        Meta(description="`sqlite`: in a file, written by one remit. `postgres`: in a PostgreSQL database."),
    ] = "sqlite"
    path: Annotated[Text, Meta(description="Database file of `kind: sqlite`.")] = ".remit/remit.db"
    url: Annotated[
        SecretRef | None,
        Meta(
            description="Address of the database of `kind: postgres`, as `env:X` or `file:path` to "
            "`postgresql://user:password@host/database?sslmode=verify-full`; written literally only if it "
            "has no password."
        ),
    ] = None
    durability: Annotated[
        Literal["durable", "buffered"],
        Meta(
            description="`durable`: recorded data survives a power loss. `buffered`: it survives a "
            "crash of remit, but the last moments before a power loss may be lost."
        ),
    ] = "durable"


def check_store(store: StoreSection, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    # A URL that is written and was refused already has a problem with its own line.
    if store.kind == "postgres" and "url" not in node.value["store"].key_lines:
        problems.add(
            "needs the address of PostgreSQL",
            line=node.line_of("store.kind"),
            key="store.kind",
            remediation="give `store.url` as `env:NAME` or another secret reference",
        )
    if store.kind == "sqlite" and store.url is not None:
        problems.add(
            "has no effect with a file",
            line=node.line_of("store.url"),
            key="store.url",
            remediation="write `kind: postgres`, or leave it out",
        )
