# SPDX-License-Identifier: Apache-2.0
"""What others make of an OpenAPI document, remit reads: requests that `schemathesis` makes from it are the
calls that they say, or are refused since they have another reading.
"""

from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from remit.core.errors import Malformed
from remit.core.tools.http_api import (
    ApiRequest,
    Route,
    found_route,
    read_api,
    read_arguments,
    write_request,
)
from tests.worlds.http_endpoint import DOCUMENT

Json = Any

API = read_api(DOCUMENT)
SCHEMA: Json = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
#: Why a request that the document permits is refused: some servers would read it otherwise, or not at all.
#: And JSON Schema lets in what it does not name, which remit does not.
OTHER_READINGS = {
    "bad-path", "path-confusion", "bad-header", "number-out-of-range", "lone-surrogate", "undeclared"
}  # fmt: skip


def asked(route: Route, request: httpx2.Request) -> ApiRequest:
    """Return a request as it would come in."""
    declared = {one.name.lower() for one in route.headers}
    path, _, query = request.url.raw_path.partition(b"?")
    body = request.read()
    return ApiRequest(
        method=request.method,
        path=path,
        query=query,
        headers={name: value for name, value in request.headers.items() if name in declared},
        media="application/json" if body else "",
        body=body,
    )


@given(data=st.data())
@settings(phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
def test_a_request_that_the_document_permits_is_the_call_that_it_says(data: st.DataObject) -> None:
    """Each parameter is an argument with that value; and what would be written is the same call again."""
    operation = data.draw(st.sampled_from(OPERATIONS))
    case = data.draw(operation.as_strategy())
    sent = case.as_transport_kwargs(base_url="http://shop.example")
    body = sent.get("json")
    request = httpx2.Request(
        sent["method"],
        sent["url"],
        params=sent.get("params") or None,
        headers={name: value for name, value in sent["headers"].items() if value is not None},
        **({"json": body} if body is not None else {}),
    )
    found = found_route(API, request.method, request.url.raw_path.partition(b"?")[0])
    if found is None:
        return  # a path that has another reading
    route, segments = found
    refused, arguments = "", {}
    try:
        arguments = read_arguments(route, segments, asked(route, request), max_bytes=1_000_000, max_depth=64)
        write_request(API, route, arguments)
    except Malformed as fault:
        refused = fault.code
    if refused:
        assert refused in OTHER_READINGS
        return
    assert route.template == operation.path
    given_in_query: dict[str, Json] = sent.get("params") or {}
    for name, value in given_in_query.items():
        listed = value if isinstance(value, list) else [value]
        if not listed:
            continue  # a list of nothing is no pair of a query
        got = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
        assert [str(one) for one in got] == [str(one) for one in listed]
    for name, value in (body or {}).items():
        assert arguments[name] == value
