# SPDX-License-Identifier: Apache-2.0
"""The targets of notifications about things that need a person."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import address_fault
from remit.core.evidence.event import EventKind
from remit.core.signals.outgoing_event import NEVER_TOLD, USUAL_KINDS


class WebhookSection(Section, frozen=True, kw_only=True):
    """A webhook, signed according to Standard Webhooks."""

    url: Annotated[Text, Meta(description="Address to send it to.")]
    secret: Annotated[
        SecretRef,
        Meta(description="Signing key: `env:X` of `whsec_` and base64 of 24 to 64 random bytes."),
    ]
    on: Annotated[
        tuple[EventKind, ...],
        Meta(
            min_length=1,
            description="Kinds of events. Default: open sinks, findings and locks. Only facts are sent, "
            "never sealed values.",
        ),
    ] = USUAL_KINDS
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""
    private: Annotated[bool, Meta(description="Whether it may be at an address of a private network.")] = (
        False
    )


def check_notify(
    hooks: dict[str, WebhookSection], plain_loopback: bool, node: Node, problems: Problems
) -> None:
    """Note problems across several values."""
    for name, one in hooks.items():
        key = f"notify.{name}"
        if fault := address_fault(one.url, plain_loopback):
            at = f"{key}.url"
            problems.add(fault, line=node.line_of(at), key=at, remediation="write `https://host/path`")
        if not one.secret.secret or one.secret.lead:
            at = f"{key}.secret"
            problems.add("is not a reference", line=node.line_of(at), key=at, remediation="write `env:NAME`")
        if NEVER_TOLD & set(one.on):
            at = f"{key}.on"
            problems.add(
                "names an event that is never sent",
                line=node.line_of(at),
                key=at,
                remediation="remove `signal.undelivered`",
            )
