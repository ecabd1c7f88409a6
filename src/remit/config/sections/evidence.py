# SPDX-License-Identifier: Apache-2.0
"""The evidence log: its witnesses, who may read its hashes, and its continuous exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import KIB, MIB, Name, Seconds, Section, Size, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import address_fault
from remit.core.errors import Malformed
from remit.core.evidence.checkpoint import COSIGNATURE_V1, VerifierKey
from remit.core.evidence.event import fields_of
from remit.core.evidence.events.kinds import BODIES

#: Names of sealed values.
SEALED_NAMES: Final = frozenset(
    one.said_as for body in BODIES.values() for one in fields_of(body) if one.sealed
)


class ExportSection(Section, frozen=True, kw_only=True):
    """A sink that receives the whole log from its first event on, in OCSF 1.8, and its checkpoints."""

    to: Annotated[Literal["file", "https", "syslog", "otlp"], Meta(description="The kind of the sink.")]
    people: Annotated[
        bool,
        Meta(
            description="Whether names of people are sent. remit cannot erase them there; without them, "
            "`actor.user` is `withheld`."
        ),
    ]
    values: Annotated[
        tuple[Text, ...],
        Meta(
            description="Sealed values that are sent with their salts, by name (`arguments`). Default: none."
        ),
    ] = ()
    leaf: Annotated[
        bool,
        Meta(description="Whether the exact text of each leaf is sent, which proves what the event says."),
    ] = True
    lag: Annotated[
        Seconds, Meta(ge=60, description="Being behind for this long is a finding, `export-late`.")
    ] = 900
    path: Annotated[str, Meta(description="The file of `to: file`.")] = ""
    rotate: Annotated[
        Size,
        Meta(ge=64 * KIB, description="Size at which a file is put aside as `path.N`, and a new one begins."),
    ] = 64 * MIB
    fsync: Annotated[
        Literal["always", "never"],
        Meta(description="`always`: a batch counts as taken once it is on the disk."),
    ] = "always"
    url: Annotated[
        str,
        Meta(description="Address of `to: https` or `otlp`, such as `https://collector:4318/v1/logs`."),
    ] = ""
    headers: Annotated[
        dict[str, SecretRef],
        Meta(description="Headers of requests: literals, or secrets by name, such as `Bearer env:X`."),
    ] = {}
    private: Annotated[bool, Meta(description="Whether `url` may be in a private network.")] = False
    host: Annotated[str, Meta(description="Receiver of `to: syslog`, as `name:port`.")] = ""
    tls: Annotated[
        bool, Meta(description="Whether syslog goes over TLS; without it the network can read and change it.")
    ] = True
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust.")] = ""


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


class RetentionSection(Section, frozen=True, kw_only=True):
    """How long events are kept. Older ones are pruned each day, on record; every proof still holds."""

    keep: Annotated[
        Seconds,
        Meta(
            ge=30 * 86_400,
            description="Events are kept this long, and those of open tasks and findings longer.",
        ),
    ]
    exported: Annotated[
        bool, Meta(description="Whether each export must have taken an event before it is pruned.")
    ] = True


class EvidenceSection(Section, frozen=True, kw_only=True):
    """The evidence log: its witnesses, who may read its hashes, its continuous exports, and how long events
    are kept.
    """

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
    exports: Annotated[
        dict[Name, ExportSection],
        Meta(description="Continuous exports, by name. A new name begins with the first event."),
    ] = {}
    retention: Annotated[
        RetentionSection | None, Meta(description="How long events are kept. Default: for good.")
    ] = None


#: The keys of each kind of sink, the first one required.
_KEYS: Final = {
    "file": ("path", "rotate", "fsync"),
    "https": ("url", "headers", "private", "tls_ca"),
    "otlp": ("url", "headers", "private", "tls_ca"),
    "syslog": ("host", "tls", "tls_ca"),
}
_ALL: Final = frozenset(one for keys in _KEYS.values() for one in keys)


def host_and_port(host: str) -> tuple[str, int] | None:
    """Return the parts of `name:port`, or None."""
    name, _, port = host.rpartition(":")
    valid = name and port.isascii() and port.isdecimal() and 0 < int(port) < 65536
    return (name.strip("[]"), int(port)) if valid else None


_Note = Callable[[str, str, str], None]


def check_evidence(evidence: EvidenceSection, plain_loopback: bool, node: Node, problems: Problems) -> None:
    """Note problems across several values."""

    def note(key: str, fault: str, way: str) -> None:
        problems.add(fault, line=node.line_of(key), key=key, remediation=way)

    _check_witnesses(evidence, plain_loopback, note)
    if evidence.retention is not None and evidence.retention.exported and not evidence.exports:
        way = "configure `evidence.exports`, or say `exported: false`"
        note("evidence.retention", "would prune what is exported nowhere", way)
    _check_exports(evidence, plain_loopback, note)


def _check_witnesses(evidence: EvidenceSection, plain_loopback: bool, note: _Note) -> None:
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


def _check_exports(evidence: EvidenceSection, plain_loopback: bool, note: _Note) -> None:
    files: set[str] = set()
    for name, one in evidence.exports.items():
        key = f"evidence.exports.{name}"
        for at, fault, way in _faults(one, plain_loopback):
            note(f"{key}{at}", fault, way)
        if one.path and one.path in files:
            note(f"{key}.path", "is used twice", "give each its own file")
        files.add(one.path)


def _faults(one: ExportSection, plain_loopback: bool) -> Iterator[tuple[str, str, str]]:
    wanted = _KEYS[one.to]
    if not getattr(one, wanted[0]):
        yield "", f"has no `{wanted[0]}`", f"give `{wanted[0]}`, or another `to`"
    for extra in sorted(_ALL - set(wanted)):
        if getattr(one, extra) != getattr(ExportSection(to="file", people=False), extra):
            yield f".{extra}", f"has no effect with `to: {one.to}`", "leave it out"
    if one.url and (fault := address_fault(one.url, plain_loopback)):
        yield ".url", fault, "write `https://host/path`"
    if one.host and host_and_port(one.host) is None:
        yield ".host", "is not an address", "write `name:port`, such as `siem.example:6514`"
    if not one.tls and one.tls_ca:
        yield ".tls_ca", "has no effect without TLS", "leave it out"
    for unknown in sorted(set(one.values) - SEALED_NAMES):
        yield ".values", f"`{unknown}` is no sealed value", "see `docs/reference/events.md`"
