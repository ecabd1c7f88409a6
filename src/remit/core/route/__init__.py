# SPDX-License-Identifier: Apache-2.0
"""Routes: the operations of an HTTP API as tools.

Method and path template are the tool, parameters are its arguments. `document` makes routes of an OpenAPI
document, `reading` makes arguments of a request, `writing` makes a request of arguments. INVARIANT: what is
written is read back as the same route and the same arguments, and has no second reading.
"""

from remit.core.route.answering import ApiReply, ReplyHead, ReplyPiece, read_head, read_piece
from remit.core.route.document import read_api
from remit.core.route.model import Api, Route, RouteParameter, Where
from remit.core.route.reading import ApiRequest, found_route, read_arguments
from remit.core.route.writing import WrittenRequest, write_request

REQUEST = "http/request"
"""The method of a call whose answer is wanted as it is, and not in the shape of MCP."""

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
