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
            description="How long this replica may act after it sent a renewal of its lease, in "
            "milliseconds. An end waits this long for a replica that does not answer.",
        ),
    ] = 1000
    address: Annotated[
        SecretRef | None,
        Meta(
            description="Address of this replica for other replicas: `https://host:port`, or `env:X` so "
            "that all replicas share one file. Default: from `listen.host` and the port. Never the "
            "address of a load balancer."
        ),
    ] = None
    tls_ca: Annotated[
        str, Meta(description="File of the certificate authorities to trust for other replicas.")
    ] = ""
