# SPDX-License-Identifier: Apache-2.0
"""`ports.evidence.sinks.EvidenceSink` over HTTPS: lines of JSON, or OTLP logs in their JSON encoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.errors import SourceUnavailable
from remit.core.evidence.ocsf import OWN_NAME, ExportLine
from remit.core.json_value import Json
from remit.ports.delivery import Deliver
from remit.ports.fetch import Fetched

Headers = Callable[[], Mapping[str, str]]
#: OCSF's severities in OpenTelemetry's numbers: INFO, INFO2, WARN, ERROR.
_SEVERITIES: Final = {1: 9, 2: 10, 3: 13, 4: 17}


class HttpsSink:
    """Posts batches of lines as `application/x-ndjson`; any answer but 2xx repeats the batch."""

    def __init__(self, url: str, headers: Headers, *, deliver: Deliver) -> None:
        """Take the address, and `headers`, which is called each time."""
        self._url = url
        self._headers = headers
        self._deliver = deliver

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Post a batch."""
        body = b"".join(line.text + b"\n" for line in lines)
        await _posted(self._deliver, self._url, body, "application/x-ndjson", self._headers)


class OtlpSink:
    """Posts batches as an `ExportLogsServiceRequest` (OTLP 1.x over HTTP, JSON encoding).

    Each record's body is the exact line. A partial success repeats the batch.
    """

    def __init__(self, url: str, headers: Headers, *, deliver: Deliver) -> None:
        """Take the address, such as `https://collector:4318/v1/logs`, and `headers`."""
        self._url = url
        self._headers = headers
        self._deliver = deliver

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Post a batch."""
        scope = {"scope": {"name": "remit.evidence"}, "logRecords": [_record(line) for line in lines]}
        resource = {"attributes": [_attribute("service.name", OWN_NAME)]}
        body = msgspec.json.encode({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})
        answer = await _posted(self._deliver, self._url, body, "application/json", self._headers)
        try:
            told = msgspec.json.decode(answer.body or b"{}", type=dict[str, Json])
            rejected = int((told.get("partialSuccess") or {}).get("rejectedLogRecords", 0))
        except (ValueError, TypeError, AttributeError):
            raise SourceUnavailable("its answer is not an OTLP response", code="export-refused") from None
        if rejected:
            raise SourceUnavailable(f"it rejected {rejected} records", code="export-refused")


def _record(line: ExportLine) -> Json:
    return {
        "timeUnixNano": f"{int(line.at.timestamp() * 1_000_000)}000",
        "severityNumber": _SEVERITIES[line.severity],
        "eventName": line.kind,
        "body": {"stringValue": line.text.decode()},
        "attributes": [
            _attribute("event.name", line.kind),
            {"key": "remit.index", "value": {"intValue": str(line.index)}},
        ],
    }


def _attribute(key: str, value: str) -> Json:
    return {"key": key, "value": {"stringValue": value}}


async def _posted(deliver: Deliver, url: str, body: bytes, media: str, headers: Headers) -> Fetched:
    answer = await deliver.post(url, body, media=media, headers=headers(), timeout_s=30.0)
    if not 200 <= answer.status < 300:
        raise SourceUnavailable(
            f"it answered {answer.status}",
            code="export-refused",
            remediation="see its own log; the batch is sent again",
        )
    return answer
