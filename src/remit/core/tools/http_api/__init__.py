# SPDX-License-Identifier: Apache-2.0
"""Routes: the operations of an HTTP API as tools.

Method and path template identify the tool; parameters are its arguments. `document` builds routes from an
OpenAPI document, `request_parsing` parses a request into arguments, `request_building` builds a request from
arguments. INVARIANT: a request that was written parses back to the same route and the same arguments, and has
no second reading.
"""

from remit.core.tools.http_api.document import read_api
from remit.core.tools.http_api.operation import Api, Route, RouteParameter, Where
from remit.core.tools.http_api.request_building import WrittenRequest, write_request
from remit.core.tools.http_api.request_parsing import ApiRequest, found_route, read_arguments
from remit.core.tools.http_api.response import ApiReply, ReplyHead, ReplyPiece, read_head, read_piece

REQUEST = "http/request"
"""The method of a call whose answer is returned unchanged, not in the shape of MCP."""

__all__ = [
    "REQUEST",
    "Api",
    "ApiReply",
    "ApiRequest",
    "ReplyHead",
    "ReplyPiece",
    "Route",
    "RouteParameter",
    "Where",
    "WrittenRequest",
    "found_route",
    "read_api",
    "read_arguments",
    "read_head",
    "read_piece",
    "write_request",
]
