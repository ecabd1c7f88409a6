# SPDX-License-Identifier: Apache-2.0
"""Where traces of calls are sent."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import address_fault


class TracesSection(Section, frozen=True, kw_only=True):
    """A collector that receives a trace of each call, with the nine steps as spans (OTLP over HTTP)."""

    url: Annotated[Text, Meta(description="Address for traces, such as `https://collector:4318/v1/traces`.")]
    headers: Annotated[
        dict[str, SecretRef],
        Meta(description="Headers of requests: literals, or secrets by name, such as `Bearer env:X`."),
    ] = {}
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""
    one_in: Annotated[
        int,
        Meta(ge=1, description="One in this many calls is traced."),
    ] = 1
    callers_sample: Annotated[
        bool,
        Meta(
            description="Whether a caller that sends `traceparent` decides if its calls are traced. Only for "
            "callers that are trusted."
        ),
    ] = False


class TelemetrySection(Section, frozen=True, kw_only=True):
    """What remit tells operators beside `/metrics` and its log."""

    traces: TracesSection | None = None


def check_telemetry(telemetry: TelemetrySection, node: Node, problems: Problems) -> None:
    """Note a collector's address that would be sent to in the clear; this machine's may be."""
    if telemetry.traces is not None and (fault := address_fault(telemetry.traces.url, True)):
        key = "telemetry.traces.url"
        problems.add(fault, line=node.line_of(key), key=key, remediation="write `https://host/v1/traces`")
