# SPDX-License-Identifier: Apache-2.0
"""The targets of notifications about things that need a person."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import address_fault
from remit.core.evidence.event import EventKind
from remit.core.signals.outgoing_event import NEVER_TOLD, USUAL_KINDS


class AddresseeSection(Section, frozen=True, kw_only=True):
    """Who is notified: a program by a webhook, signed as in Standard Webhooks, or people by apprise."""

    url: Annotated[str, Meta(description="Address of a webhook.")] = ""
    secret: Annotated[
        SecretRef | None,
        Meta(description="Its signing key: `env:X` of `whsec_` and base64 of 24 to 64 random bytes."),
    ] = None
    apprise: Annotated[
        SecretRef | None,
        Meta(
            description="In place of `url` and `secret`: `env:X` of an address of apprise, such as "
            "`mailto://...`. Needs the extra `notify`."
        ),
    ] = None
    on: Annotated[
        tuple[EventKind, ...],
        Meta(
            min_length=1,
            description="Kinds of events. Default: open sinks, findings and locks. Only facts are sent, "
            "never sealed values.",
        ),
    ] = USUAL_KINDS
    tls_ca: Annotated[
        str, Meta(description="File of the certificate authorities to trust for a webhook.")
    ] = ""
    private: Annotated[
        bool, Meta(description="Whether a webhook may be at an address of a private network.")
    ] = False


def check_notify(
    addressees: dict[str, AddresseeSection], plain_loopback: bool, node: Node, problems: Problems
) -> None:
    """Note problems across several values."""
    for name, one in addressees.items():
        key = f"notify.{name}"

        def note(at: str, fault: str, way: str, key: str = key) -> None:
            problems.add(fault, line=node.line_of(f"{key}{at}"), key=f"{key}{at}", remediation=way)

        if (one.apprise is None) == (not one.url) or (one.apprise is not None and one.secret is not None):
            note("", "is no webhook, and no address of apprise", "write `url` and `secret`, or `apprise`")
        if one.url and (fault := address_fault(one.url, plain_loopback)):
            note(".url", fault, "write `https://host/path`")
        if one.url and one.secret is None:
            note(".secret", "is missing", "write `env:NAME`")
        for at, ref in ((".secret", one.secret), (".apprise", one.apprise)):
            if ref is not None and (not ref.secret or ref.lead):
                note(at, "is not a reference", "store it as a secret, and write `env:NAME`")
        if NEVER_TOLD & set(one.on):
            note(".on", "names an event that is never sent", "remove `signal.undelivered`")
