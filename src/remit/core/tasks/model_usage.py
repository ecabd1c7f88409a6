# SPDX-License-Identifier: Apache-2.0
"""What an agent reports of its model calls: OpenTelemetry spans with the usage of a generative model.

The form is OTLP's JSON encoding with the attributes `gen_ai.usage.*` of the semantic conventions.
Everything else in a report is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from remit.core.errors import Malformed
from remit.core.json_value import Json

#: Most spans of one report, and most tokens of one call.
MAX_SPANS: Final = 2_000
MAX_TOKENS: Final = 1_000_000_000
_INPUT: Final = "gen_ai.usage.input_tokens"
_OUTPUT: Final = "gen_ai.usage.output_tokens"
_CACHED: Final = "gen_ai.usage.cache_read.input_tokens"
_CACHE_WRITE: Final = "gen_ai.usage.cache_creation.input_tokens"
_MODELS: Final = ("gen_ai.response.model", "gen_ai.request.model")
_OPERATION: Final = "gen_ai.operation.name"
#: The attributes that are read.
READ: Final = frozenset({_INPUT, _OUTPUT, _OPERATION, *_MODELS})
#: Most resources, scopes, spans and attributes of one report together.
MAX_PARTS: Final = 50 * MAX_SPANS
#: Spans that sum up the model calls below them.
_SUMS: Final = frozenset({"invoke_agent", "create_agent", "invoke_workflow", "execute_tool"})
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[0-9A-Za-z+/=]+$")]


class _Value(msgspec.Struct, frozen=True, rename="camel"):
    int_value: str | int | None = None
    double_value: float | None = None
    string_value: str | None = None


class _Attribute(msgspec.Struct, frozen=True):
    key: str
    value: _Value = _Value()


class _Span(msgspec.Struct, frozen=True, rename="camel"):
    trace_id: _Id
    span_id: _Id
    attributes: tuple[_Attribute, ...] = ()


class _ScopeSpans(msgspec.Struct, frozen=True):
    spans: tuple[dict[str, Json], ...] = ()


class _ResourceSpans(msgspec.Struct, frozen=True, rename="camel"):
    scope_spans: tuple[_ScopeSpans, ...] = ()


class TraceReport(msgspec.Struct, frozen=True, rename="camel"):
    """An `ExportTraceServiceRequest`. `binary`: it came in the binary encoding, and so does its answer."""

    resource_spans: tuple[_ResourceSpans, ...] = ()
    binary: bool = False

    def spans(self) -> Iterator[dict[str, Json]]:
        """Yield every span, not decoded yet."""
        for resource in self.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One reported call of a model; `span` is unique among the calls that were ever made.

    Of its input, `cached_tokens` were read from a cache, and `cache_write_tokens` were put into one.
    """

    span: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All tokens of the call."""
        return self.input_tokens + self.output_tokens


def check_parts(parts: int) -> None:
    """Raise `Malformed` where a report has too many parts to read them."""
    if parts > MAX_PARTS:
        raise Malformed(
            f"a report has at most {MAX_PARTS} resources, scopes, spans and attributes",
            remediation="send smaller batches",
        )


def calls_in(spans: Iterable[dict[str, Json]]) -> tuple[list[ModelCall], int]:
    """Return the model calls among some spans, each once, and the number of spans that cannot be read."""
    found: dict[str, ModelCall] = {}
    unreadable = 0
    for span in spans:
        try:
            call = _call(msgspec.convert(span, _Span))
        except (msgspec.ValidationError, ValueError):
            unreadable += 1
            continue
        if call is not None:
            found.setdefault(call.span, call)
    return list(found.values()), unreadable


def _call(span: _Span) -> ModelCall | None:
    told = {one.key: one.value for one in span.attributes}
    operation = told.get(_OPERATION, _Value()).string_value
    if operation in _SUMS or not {_INPUT, _OUTPUT} & told.keys():
        return None
    model = next((text for name in _MODELS if name in told and (text := told[name].string_value)), "")
    read, cached, written = (_tokens(told.get(name)) for name in (_INPUT, _CACHED, _CACHE_WRITE))
    if cached + written > read:
        # Some instrumentations leave these out of the input, against the conventions.
        read += cached + written
    return ModelCall(
        span=f"{span.trace_id}/{span.span_id}".lower(),
        model=model[:80],
        input_tokens=read,
        output_tokens=_tokens(told.get(_OUTPUT)),
        cached_tokens=cached,
        cache_write_tokens=written,
    )


def _tokens(value: _Value | None) -> int:
    """Return a number of tokens; raise `ValueError` for anything that is none."""
    if value is None:
        return 0
    if value.int_value is None:
        raise ValueError("a number of tokens is an integer")
    count = int(value.int_value)
    if not 0 <= count <= MAX_TOKENS:
        raise ValueError("a number of tokens is not negative")
    return count
