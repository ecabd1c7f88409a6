# SPDX-License-Identifier: Apache-2.0
"""This process as one of the replicas that serve the same PostgreSQL database."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section


class ReplicaSection(Section, frozen=True, kw_only=True):
    """This process as one of the replicas of a PostgreSQL database; no effect without PostgreSQL."""

    lease_ms: Annotated[
        int,
        Meta(
            ge=200,
            le=60_000,
            description="How long this replica may act after a renewal of its lease was sent, in "
            "milliseconds. An end waits so long for a replica that does not answer.",
        ),
    ] = 1000
    address: Annotated[
        SecretRef | None,
        Meta(
            description="Where the other replicas reach this one, as `https://host:port`; as `env:X`, so "
            "that the file is the same on all of them; from `listen.host` and the port unless given. Never "
            "the address of a balancer."
        ),
    ] = None
    tls_ca: Annotated[
        str, Meta(description="File of the certificate authorities to trust for other replicas.")
    ] = ""
