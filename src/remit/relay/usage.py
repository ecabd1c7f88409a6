# SPDX-License-Identifier: Apache-2.0
"""The relay for reports of model calls: traces by OTLP over HTTP, passed on with the task's token."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from remit.relay.api import pour, read_whole
from remit_sdk.errors import AgentFault, GatewayRefused
from remit_sdk.gateway_client import GatewayClient

PATH: Final = "otlp/v1/traces"
MAX_REPORT_BYTES: Final = 4 * 1024 * 1024
#: Headers of the gateway's answer that exporters read.
_PASSED_BACK: Final = ("Content-Type", "Retry-After")


async def relay_usage(gateway: GatewayClient, request: web.BaseRequest) -> web.StreamResponse:
    """Pass one report on; the gateway reads it, and counts it for the task of the token.

    Of the program's headers only the encoding is passed on: a report needs no other.
    """
    if request.method != "POST":
        return _refused(405, "method", "use POST")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        what = "the report is compressed; set OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=none"
        return _refused(415, "content-encoding", what)
    body = await read_whole(request, MAX_REPORT_BYTES)
    if body is None:
        return _refused(
            413, "too-large", f"the report is over {MAX_REPORT_BYTES} bytes; send smaller batches"
        )
    try:
        answer = await gateway.report({"content-type": request.headers.get("Content-Type", "")}, body)
    except GatewayRefused as fault:
        return _refused(fault.status if fault.status in (401, 403, 404, 409) else 403, fault.code, str(fault))
    except AgentFault as fault:
        # Exporters send a report again after this status (OTLP section "Failures"); it counts once.
        return _refused(503, "gateway-unreachable", str(fault))
    async with answer.response:
        back = web.StreamResponse(status=answer.status)
        for name in _PASSED_BACK:
            if name in answer.headers:
                back.headers[name] = answer.headers[name]
        await pour(request, answer, back)
        return back


def _refused(status: int, code: str, message: str) -> web.Response:
    told = {"type": "about:blank", "status": status, "detail": message, "code": code}
    return web.Response(status=status, text=json.dumps(told), content_type="application/problem+json")
