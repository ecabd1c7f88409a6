# SPDX-License-Identifier: Apache-2.0
"""Traces by OpenTelemetry's SDK, exported as OTLP over HTTP on the SDK's own thread."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import remit
from remit.ports.telemetry.tracer import TracedStep

#: Seconds for one request to the collector.
SEND_S: Final = 3.0
#: Seconds for the last requests at the end; what is left then is lost.
CLOSE_S: Final = 2.0
_W3C: Final = TraceContextTextMapPropagator()


class OpenTelemetryTrace:
    """The span of one call; its steps become spans below it."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        """Keep the span, which has begun."""
        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span)
        told: dict[str, str] = {}
        _W3C.inject(told, self._context)
        self.traceparent = told.get("traceparent", "")

    def ended(self, at: datetime, steps: list[TracedStep], facts: Mapping[str, str], fault: str = "") -> None:
        """End all spans, at the times that were measured."""
        if self._span.is_recording():
            for step in steps:
                part = self._tracer.start_span(step.name, self._context, start_time=_ns(step.began))
                part.end(_ns(step.ended))
            self._span.set_attributes(facts)
            if fault:
                self._span.set_status(Status(StatusCode.ERROR, fault))
        self._span.end(_ns(at))


class _OwnShare(Sampler):
    """Samples a share of calls, also below a caller's trace: neither its flag nor its trace id counts."""

    def __init__(self, share: float) -> None:
        self._share = TraceIdRatioBased(share)

    def should_sample(
        self, parent_context: Context | None, trace_id: int, *args: Any, **words: Any
    ) -> SamplingResult:
        """Decide by a number that the caller does not choose."""
        return self._share.should_sample(parent_context, secrets.randbits(128), *args, **words)

    def get_description(self) -> str:
        """Return the name."""
        return f"OwnShare{{{self._share.rate}}}"


class OpenTelemetryTracer:
    """Samples a share of calls; with `callers_sample`, a caller within a trace decides for its calls."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        ca_file: str | None,
        share: float,
        callers_sample: bool = False,
    ) -> None:
        """Send to a collector; a full queue drops spans, and delays no call."""
        resource = Resource.create({SERVICE_NAME: "remit", SERVICE_VERSION: remit.__version__})
        own = _OwnShare(share)
        callers = {} if callers_sample else {"remote_parent_sampled": own, "remote_parent_not_sampled": own}
        sampler = ParentBased(own, **callers)
        self._provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter(
            endpoint=url, headers=dict(headers), certificate_file=ca_file, timeout=SEND_S
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("remit", remit.__version__)

    def begin(self, name: str, traceparent: str, at: datetime) -> OpenTelemetryTrace:
        """Begin a span below the caller's."""
        context = _W3C.extract({"traceparent": traceparent}) if traceparent else Context()
        span = self._tracer.start_span(name, context, SpanKind.SERVER, start_time=_ns(at))
        return OpenTelemetryTrace(self._tracer, span)

    async def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for."""
        given_up = asyncio.get_running_loop().call_later(CLOSE_S, self._exporter.shutdown)
        try:
            await asyncio.to_thread(self._provider.shutdown)
        finally:
            given_up.cancel()


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1000
