# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: the replicas of one database."""

from __future__ import annotations

from collections.abc import Iterator

from remit.cli.doctor.check import Check
from remit.core.json_value import Json


def replica_looks(told: dict[str, Json]) -> Iterator[Check]:
    """Report what the remit that answers knows of its replicas; `told` is the answer of `/health/ready`."""
    if told.get("replica", "alone") == "alone":
        return  # a single process
    count, late, differing = told["replicas"], told["late_replicas"], told["differing_bundles"]
    if told["replica"] != "leased":
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
        says = f"{differing} of {count} decide by another policy bundle than the one in force"
        yield Check("replicas", "fail", says, "lay the same files everywhere; `remit who` says who has which")
    if not late and not differing:
        yield Check("replicas", "ok", f"{count} serve{'s' if count == 1 else ''} this database")
