# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: the replicas of one database, and what wakes them."""

from __future__ import annotations

from collections.abc import Iterator

from remit.cli.doctor.check import Check, no_connection
from remit.config import Config
from remit.config.sections.nats import nats_servers
from remit.core.errors import ConfigInvalid, KeyUnavailable
from remit.core.json_value import Json


def replica_looks(told: dict[str, Json]) -> Iterator[Check]:
    """Say what the remit that answers knows of its replicas; `told` is what `/health/ready` says."""
    if not told.get("waking"):
        return  # one process alone
    count, late, differing = told["replicas"], told["late_replicas"], told["differing_bundles"]
    if told.get("replica") != "leased":
        yield Check(
            "replicas",
            "fail",
            "the one that answers holds no lease, and refuses everything",
            "look whether it reaches the database",
        )
    if late:
        says = f"{late} of {count} have no lease any more; their tasks go to others within moments"
        yield Check("replicas", "fail", says, "`remit who` says which")
    if differing:
        says = f"{differing} of {count} decide by another bundle than the one in force"
        yield Check("replicas", "fail", says, "lay the same files everywhere; `remit who` says who has which")
    if told["waking"].endswith("away"):
        yield Check(
            "replicas",
            "note",
            "NATS wakes nobody: replicas look with each renewal of their leases, and ends take that long",
            "`remit who` says why",
        )
    if not late and not differing:
        one = count == 1
        yield Check(
            "replicas",
            "ok",
            f"{count} serve{'s' if one else ''} this database, woken by {told['waking']}",
        )


def nats_looks(config: Config) -> Iterator[Check]:
    """Look whether the servers of NATS can be reached from here, and what is shown to them can be read."""
    section = config.replica.nats
    if section is None:
        return
    secrets = [one for one in (section.password, section.token, section.credentials) if one is not None]
    for secret in secrets:
        try:
            secret.resolve_lines()
        except KeyUnavailable as fault:
            yield Check("nats", "fail", fault.message, fault.remediation)
    try:
        servers = nats_servers(section)
    except (ConfigInvalid, KeyUnavailable) as fault:
        yield Check("nats", "fail", fault.message, fault.remediation)
        return
    for address in servers:
        if why := no_connection(address):
            remediation = "is it running? without it ends take until the next renewals"
            yield Check("nats", "fail", f"`{address}` is not reachable: {why}", remediation)
        else:
            yield Check("nats", "ok", f"`{address}` takes connections")
