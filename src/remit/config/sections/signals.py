# SPDX-License-Identifier: Apache-2.0
"""Shared signals: who may send events to remit, their effects here, and who receives remit's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Name, Seconds, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import Algorithm, address_fault
from remit.core.keys.jwks import USUAL
from remit.core.signals.outgoing_event import NOTICES
from remit.core.signals.signal import Reaction, SignalKind


class PollSection(Section, frozen=True, kw_only=True):
    """The address at which remit polls a transmitter's events (RFC 8936)."""

    url: Annotated[Text, Meta(description="Address of its poll endpoint.")]
    token: Annotated[
        SecretRef | None,
        Meta(description="Value of the `Authorization` header: `Bearer env:X`."),
    ] = None
    every_s: Annotated[Seconds, Meta(ge=1, le=3600, description="How long to wait between two polls.")] = 5


class AliveSection(Section, frozen=True, kw_only=True):
    """How long a transmitter may be silent, and how remit asks it for a sign of life."""

    silent_after_s: Annotated[
        Seconds, Meta(ge=60, description="Silence for this long is a finding, `signals-silent`.")
    ] = 3600
    verify_url: Annotated[
        str,
        Meta(
            description="Its verification endpoint, where remit requests an event; without it only the "
            "transmitter's own events count."
        ),
    ] = ""
    stream_id: Annotated[str, Meta(description="The stream's id.")] = ""
    token: Annotated[
        SecretRef | None,
        Meta(description="Value of the `Authorization` header: `Bearer env:X`."),
    ] = None
    every_s: Annotated[Seconds, Meta(ge=30, description="How long to wait between two requests.")] = 900


class SubjectsSection(Section, frozen=True, kw_only=True):
    """The meaning of a transmitter's names here, and the subjects that it may report on. People who signed in
    with the same issuer are known anyway.
    """

    email_domain: Annotated[
        str, Meta(description="E-mail domain of people here; the part before the `@` is the person's name.")
    ] = ""
    names: Annotated[
        bool,
        Meta(description="Whether its `sub` is the name of a person here, and its applications our agents."),
    ] = False
    opaque: Annotated[
        Literal["", "person", "agent", "task"],
        Meta(description="Kind of subject that an opaque id names. Default: none."),
    ] = ""
    unknown_session: Annotated[
        Literal["person", "ignore"],
        Meta(description="Whether an event about an unknown session applies to the whole person."),
    ] = "person"
    issuers: Annotated[
        tuple[Text, ...],
        Meta(description="Issuers whose subjects it may name, `*` for all. Default: only its own `issuer`."),
    ] = ()
    agents: Annotated[
        tuple[Text, ...],
        Meta(
            description="Agents that its events may affect: names, `group:name`, `*` for all. Default: none."
        ),
    ] = ()
    tasks: Annotated[
        tuple[Text, ...],
        Meta(description="Types of the tasks that it may name by id, `*` for all. Default: none."),
    ] = ()


class TransmitterSection(Section, frozen=True, kw_only=True):
    """A sender of events (security event tokens): an identity provider, another remit."""

    issuer: Annotated[Text, Meta(description="Its exact `iss`.")]
    audience: Annotated[
        str, Meta(description="The `aud` of its tokens. Default: the public address of remit.")
    ] = ""
    jwks_uri: Annotated[str, Meta(description="Address of its key set. Default: from its metadata.")] = ""
    jwks_file: Annotated[str, Meta(description="File of its key set, instead of an address.")] = ""
    algorithms: Annotated[
        tuple[Algorithm, ...], Meta(description="Signature algorithms that are accepted.")
    ] = ()
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""
    private: Annotated[bool, Meta(description="Whether it may be at an address of a private network.")] = (
        False
    )
    push_token: Annotated[
        SecretRef | None,
        Meta(
            description="`Authorization` header of its pushes to `/ssf/push/NAME`, as `Bearer env:X`. "
            "Without it pushes are refused."
        ),
    ] = None
    poll: Annotated[PollSection | None, Meta(description="Poll it for events instead.")] = None
    alive: Annotated[
        AliveSection | None,
        Meta(description="How long it may be silent; without it silence is not detected."),
    ] = None
    max_age_s: Annotated[
        Seconds, Meta(ge=60, description="Maximum age of a token; its id is remembered for this long.")
    ] = 24 * 3600
    subjects: Annotated[
        SubjectsSection, Meta(description="How its subjects map to people, agents and tasks here.")
    ] = SubjectsSection()
    on: Annotated[
        dict[SignalKind, tuple[Reaction, ...]],
        Meta(
            description="Actions for an event that lowers trust, by its kind. Default: the standard "
            "actions. An empty list only records the event."
        ),
    ] = {}

    may: Annotated[
        tuple[Reaction, ...],
        Meta(description="The strongest permitted actions for its events. Default: those of `on`."),
    ] = tuple(Reaction)

    @property
    def accepted(self) -> frozenset[str]:
        """The accepted algorithms."""
        return frozenset(self.algorithms or USUAL)


class PushSection(Section, frozen=True, kw_only=True):
    """The address that a receiver's events go to (RFC 8935)."""

    url: Annotated[Text, Meta(description="Address that events are pushed to.")]
    token: Annotated[
        SecretRef | None,
        Meta(description="Value of the `Authorization` header: `Bearer env:X`."),
    ] = None
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""
    private: Annotated[bool, Meta(description="Whether it may be at an address of a private network.")] = (
        False
    )


class ReceiverSection(Section, frozen=True, kw_only=True):
    """A receiver of remit's events: that a task ended, that an agent was suspended."""

    audience: Annotated[Text, Meta(description="The `aud` of the tokens that it gets.")]
    agents: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1, description="Agents whose events it receives: names, `group:name`, or `*` for all."
        ),
    ]
    events: Annotated[
        tuple[SignalKind, ...],
        Meta(min_length=1, description="Events that it may receive. Default: all."),
    ] = NOTICES
    people: Annotated[
        bool, Meta(description="Whether events include people's names and the person that an agent acts for.")
    ] = False
    agent: Annotated[
        str,
        Meta(description="The registered agent that manages its stream and polls it."),
    ] = ""
    push: Annotated[
        PushSection | None, Meta(description="Push endpoint for its events, unless it polls.")
    ] = None


class SignalsSection(Section, frozen=True, kw_only=True):
    """Shared signals (SSF 1.0, CAEP 1.0)."""

    receive: Annotated[
        dict[Name, TransmitterSection],
        Meta(description="Transmitters that may send events to remit, by name."),
    ] = {}
    send: Annotated[
        dict[Name, ReceiverSection], Meta(description="Receivers of remit's events, by name.")
    ] = {}


def check_signals(signals: SignalsSection, plain_loopback: bool, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    believed: dict[str, str] = {}
    for name, one in signals.receive.items():
        key = f"signals.receive.{name}"
        for at, message, remediation in _faults(one, plain_loopback):
            where = f"{key}.{at}" if at else key
            problems.add(message, line=node.line_of(where), key=where, remediation=remediation)
        other = believed.setdefault(one.issuer, name)
        if other != name:
            problems.add(
                f"has the same issuer as `{other}`",
                line=node.line_of(key),
                key=key,
                remediation="keep one of them",
            )

    managing: dict[str, str] = {}
    for name, receiver in signals.send.items():
        key = f"signals.send.{name}"
        for at, message, remediation in _receiver_faults(receiver, plain_loopback):
            where = f"{key}.{at}" if at else key
            problems.add(message, line=node.line_of(where), key=where, remediation=remediation)
        if receiver.agent and managing.setdefault(receiver.agent, name) != name:
            problems.add(
                f"has the same agent as `{managing[receiver.agent]}`",
                line=node.line_of(key),
                key=key,
                remediation="register an agent for each",
            )


def _receiver_faults(one: ReceiverSection, plain_loopback: bool) -> Iterator[tuple[str, str, str]]:
    if one.push is None and not one.agent:
        yield "", "can neither be pushed to nor poll", "give `push` or `agent`"
    if unknown := sorted(kind.value for kind in one.events if kind not in NOTICES):
        told = ", ".join(kind.value for kind in NOTICES)
        yield "events", f"`{unknown[0]}` is never sent", f"use some of {told}"
    if one.push is not None:
        if fault := address_fault(one.push.url, plain_loopback):
            yield "push.url", fault, "write `https://host/path`"
        if one.push.token is not None and not one.push.token.secret:
            yield (
                "push.token",
                "is written literally",
                "write a reference: `Bearer env:NAME` or `Bearer file:path`",
            )


def _faults(one: TransmitterSection, plain_loopback: bool) -> Iterator[tuple[str, str, str]]:
    if fault := address_fault(one.issuer, plain_loopback):
        yield "issuer", fault, "write the exact `iss` of its tokens"
    if one.jwks_uri and one.jwks_file:
        yield "jwks_file", "is given beside `jwks_uri`", "keep one of them"
    if one.jwks_uri and (fault := address_fault(one.jwks_uri, plain_loopback)):
        yield "jwks_uri", fault, "write `https://host/path`"
    if one.poll is not None and (fault := address_fault(one.poll.url, plain_loopback)):
        yield "poll.url", fault, "write `https://host/path`"
    if one.alive is not None and one.alive.verify_url:
        if fault := address_fault(one.alive.verify_url, plain_loopback):
            yield "alive.verify_url", fault, "write `https://host/path`"
        if not one.alive.stream_id:
            yield "alive.stream_id", "is missing", "give the id of the stream at the transmitter"
        if one.alive.every_s >= one.alive.silent_after_s:
            yield "alive.every_s", "is not shorter than `silent_after_s`", "use a shorter interval"
    if one.push_token is None and one.poll is None:
        yield "", "neither pushes nor is polled", "give `push_token` or `poll`"
    for what, named in (("agent", one.subjects.agents), ("task", one.subjects.tasks)):
        if one.subjects.opaque == what and not named:
            yield "subjects.opaque", f"names a {what}, but it may not name any", f"give `subjects.{what}s`"
    shown = {
        "push_token": one.push_token,
        "poll.token": one.poll.token if one.poll else None,
        "alive.token": one.alive.token if one.alive else None,
    }
    for where, secret in shown.items():
        if secret is not None and not secret.secret:
            yield where, "is written literally", "write a reference: `Bearer env:NAME` or `Bearer file:path`"
