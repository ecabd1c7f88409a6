# SPDX-License-Identifier: Apache-2.0
"""Remit's own trust domain, served to the workloads of this machine."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.section import Seconds, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.keys import DAY_S
from remit.core.errors import Malformed
from remit.core.identity.workload import SpiffeId


class WorkloadSection(Section, frozen=True, kw_only=True):
    """The processes that get one SPIFFE ID: every given condition must hold.

    The user is always required: a user who may run a program, or copy it, may also run it under a debugger.
    """

    spiffe_id: Annotated[Text, Meta(description="The SPIFFE ID, in the trust domain of this section.")]
    uid: Annotated[int, Meta(ge=0, description="User id of the process.")]
    executable: Annotated[
        str,
        Meta(pattern=r"^(?:[0-9a-f]{64})?$", description="SHA-256 of its program, as `sha256sum` prints it."),
    ] = ""
    hint: Annotated[str, Meta(description="A hint for workloads that have several SPIFFE IDs.")] = ""


class WorkloadApiSection(Section, frozen=True, kw_only=True):
    """Remit's own trust domain, served over the SPIFFE Workload API on a Unix socket."""

    trust_domain: Annotated[
        Text, Meta(pattern=r"^[a-z0-9._-]{1,255}$", description="The name, such as `agents.example.org`.")
    ]
    socket: Annotated[Text, Meta(description="The Unix socket.")] = ".remit/workload.sock"
    open_to: Annotated[
        str,
        Meta(
            pattern=r"^(?:user|group|all)$",
            description="Who may connect to the socket: the user of remit, its group, or every local user.",
        ),
    ] = "user"
    svid_ttl_s: Annotated[
        Seconds,
        Meta(ge=60, le=DAY_S, description="Lifetime of an X.509-SVID; of a JWT-SVID five minutes at most."),
    ] = 3600
    rotate_every: Annotated[
        Seconds,
        Meta(ge=3600, description="Age at which the authority and the JWT-SVID key are replaced."),
    ] = 7 * DAY_S
    workloads: Annotated[
        tuple[WorkloadSection, ...],
        Meta(
            description="SPIFFE IDs of local processes. In addition, an agent that is registered with "
            "user id and executable gets `spiffe://<trust domain>/agent/<name>`."
        ),
    ] = ()


def check_workload_api(section: WorkloadApiSection, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    for place, one in enumerate(section.workloads):
        key = f"workload_api.workloads.{place}"

        def add(at: str, message: str, remediation: str, key: str = key) -> None:
            where = f"{key}.{at}" if at else key
            problems.add(message, line=node.line_of(where), key=where, remediation=remediation)

        try:
            found = SpiffeId.parse(one.spiffe_id)
        except Malformed as fault:
            add("spiffe_id", fault.message, fault.remediation)
            continue
        if found.trust_domain != section.trust_domain or not found.path:
            add(
                "spiffe_id",
                "is not a workload of this trust domain",
                f"write `spiffe://{section.trust_domain}/` and a path",
            )
