# SPDX-License-Identifier: Apache-2.0
"""Model usage that agents report: OTLP over HTTP, in its JSON and its binary encoding."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from remit.api.rest.decisions.otlp_messages import PROTOBUF, read_report, written_response
from remit.api.rest.route import Endpoint, RestRequest
from remit.core.errors import Malformed
from remit.core.tasks.model_usage import MAX_SPANS, TraceReport, calls_in
from remit.services.tasks.assembly import TaskServices


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryRooms:
    """The rooms that these endpoints work with."""

    tasks: TaskServices


class PartialSuccess(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The spans that were not taken, and why."""

    rejected_spans: int = 0
    error_message: str = ""


class TraceReceipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An `ExportTraceServiceResponse`."""

    partial_success: PartialSuccess


async def traces(errand: RestRequest[TelemetryRooms]) -> TraceReceipt | Response:
    """Count the model calls among the spans of a task, each once."""
    assert errand.claims is not None
    report: TraceReport = errand.body
    spans = list(report.spans())
    if len(spans) > MAX_SPANS:
        raise Malformed(f"a report has at most {MAX_SPANS} spans", remediation="send smaller batches")
    calls, unreadable = calls_in(spans)
    await errand.rooms.tasks.usage.report(errand.claims.task, calls)
    why = "their ids or token counts cannot be read" if unreadable else ""
    if report.binary:
        return Response(written_response(unreadable, why), media_type=PROTOBUF)
    return TraceReceipt(partial_success=PartialSuccess(rejected_spans=unreadable, error_message=why))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/otlp/v1/traces",
        summary="Report the model calls of a task (OTLP/HTTP, JSON or protobuf); each span counts once",
        serve=traces,
        tasks=True,
        lenient=True,
        decodes={PROTOBUF: read_report},
        takes=TraceReport,
        gives=TraceReceipt,
    ),
)
