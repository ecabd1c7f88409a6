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
            "the replica that answered holds no lease and refuses everything",
            "check its connection to the database",
        )
    if late:
        says = f"{late} of {count} have lost their lease; their tasks soon move to others"
        yield Check("replicas", "fail", says, "`remit who` shows which")
    if differing:
        says = f"{differing} of {count} decide by a policy bundle that is not the one in force"
        yield Check(
            "replicas",
            "fail",
            says,
            "deploy the same files to all replicas; `remit who` shows the bundle of each",
        )
    if not late and not differing:
        yield Check("replicas", "ok", f"{count} serve{'s' if count == 1 else ''} this database")
