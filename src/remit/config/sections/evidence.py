# SPDX-License-Identifier: Apache-2.0
"""The evidence log: its witnesses, and who may read its hashes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.section import Name, Seconds, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import address_fault
from remit.core.errors import Malformed
from remit.core.evidence.checkpoint import COSIGNATURE_V1, VerifierKey


class WitnessSection(Section, frozen=True, kw_only=True):
    """A witness of the log, which cosigns its head after it has checked that the log only grew."""

    key: Annotated[
        Text, Meta(description="The witness's public key for cosignatures (a C2SP vkey, `name+id+base64`).")
    ]
    url: Annotated[
        Text, Meta(description="Its submission prefix; heads are sent to `add-checkpoint` below it.")
    ]
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""
    private: Annotated[bool, Meta(description="Whether it may be at an address of a private network.")] = (
        False
    )


class EvidenceSection(Section, frozen=True, kw_only=True):
    """The evidence log: its witnesses, and who may read its hashes."""

    public: Annotated[
        bool,
        Meta(
            description="Whether everyone may read checkpoint and hash tiles below `/tlog/`; otherwise only "
            "people with a role. Entries are always for auditors and administrators."
        ),
    ] = False
    witnesses: Annotated[
        dict[Name, WitnessSection], Meta(description="The witnesses of the log, by name.")
    ] = {}
    quorum: Annotated[
        int, Meta(ge=0, description="How many of the witnesses must cosign a head; 0: all of them.")
    ] = 0
    every: Annotated[Seconds, Meta(ge=1, description="Shortest time between two heads for a witness.")] = 10
    refresh: Annotated[
        Seconds, Meta(ge=10, description="After this time an unchanged head is cosigned again.")
    ] = 300
    alarm_after: Annotated[
        Seconds, Meta(ge=60, description="After this time without a quorum a finding opens.")
    ] = 3600


def check_evidence(evidence: EvidenceSection, plain_loopback: bool, node: Node, problems: Problems) -> None:
    """Note problems across several values."""

    def note(key: str, fault: str, way: str) -> None:
        problems.add(fault, line=node.line_of(key), key=key, remediation=way)

    seen: dict[bytes, str] = {}
    for name, one in evidence.witnesses.items():
        key = f"evidence.witnesses.{name}"
        if fault := address_fault(one.url, plain_loopback):
            note(f"{key}.url", fault, "write `https://host/path`")
        try:
            parsed = VerifierKey.parse(one.key)
        except Malformed as error:
            note(f"{key}.key", f"is not a public key: {error.message}", "copy the witness's whole vkey")
            continue
        if parsed.type != COSIGNATURE_V1:
            note(f"{key}.key", "is the key of a log", "take the witness's key for cosignatures (type 4)")
        if (other := seen.setdefault(parsed.public, name)) != name:
            note(f"{key}.key", f"is also the key of `{other}`", "name each witness once")
    if evidence.quorum > len(evidence.witnesses):
        note("evidence.quorum", "is more than there are witnesses", "lower it, or add witnesses")
