# SPDX-License-Identifier: Apache-2.0
"""Laws of routes: what is written is read back as the same call, and nothing that comes in breaks it."""

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import ConfigInvalid, Malformed
from remit.core.tools.http_api import (
    ApiRequest,
    found_route,
    read_api,
    read_arguments,
    read_head,
    read_piece,
    write_request,
)
from remit.core.tools.http_api.response import ReplyPiece, complete, located, piece_of
from tests.worlds.http_endpoint import DOCUMENT

Json = Any

API = read_api(DOCUMENT)
TEXT = st.text(max_size=40)
NUMBERS = st.one_of(st.integers(-(2**60), 2**60), st.floats(-(2**53) + 1, 2**53 - 1))
VALUES = st.one_of(TEXT, NUMBERS, st.booleans(), st.none(), st.lists(TEXT, max_size=3))
NASTY = st.text(alphabet="./%\\;?#&=:@ \r\n\x002eEfFuU5cC~+", max_size=12)


def read(written: Json) -> tuple[str, dict[str, Json]]:
    """Read a request as the endpoint would, had an agent sent it."""
    target, _, query = written.target.partition(b"?")
    found = found_route(API, written.method.decode(), target)
    assert found is not None
    route, segments = found
    headers = {name.decode(): value.decode() for name, value in written.headers}
    media = headers.pop("content-type", "")
    headers.pop("accept", None)
    asking = ApiRequest(
        method=route.method, path=target, query=query, headers=headers, media=media, body=written.body
    )
    return route.name, read_arguments(route, segments, asking, max_bytes=100_000, max_depth=64)


@given(
    name=st.sampled_from(sorted(API.routes)),
    arguments=st.dictionaries(
        st.sampled_from(["id", "fields", "X-Region", "q", "limit", "tag", "payee", "amount", "what", "to"]),
        st.one_of(VALUES, NASTY),
        max_size=6,
    ),
)
def test_what_is_written_is_read_back_as_the_same_call(name: str, arguments: dict[str, Json]) -> None:
    """Or nothing is written. So no value of an argument can become another argument, or another operation."""
    route = API.routes[name]
    known = {one.argument for one in route.parameters}
    arguments = {key: value for key, value in arguments.items() if key in known}
    try:
        written = write_request(API, route, arguments)
    except Malformed:
        return
    assert re.fullmatch(rb"/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~%&=-]*)?", written.target)
    path = written.target.partition(b"?")[0].decode()
    for segment in path[1:].split("/"):
        plain = unquote(segment)
        assert plain not in ("", ".", "..")
        assert not set("/\\;") & set(plain)
        assert unquote(plain) == plain or "%" not in plain
    assert read(written) == (name, arguments)


@given(path=st.one_of(st.binary(max_size=60), NASTY.map(lambda text: f"/customers/{text}".encode())))
def test_a_path_is_of_a_route_or_of_none(path: bytes) -> None:
    """No bytes break the reader; what is found can be written again as what it was found at."""
    found = found_route(API, "GET", path)
    if found is None:
        return
    route, segments = found
    arguments = read_arguments(
        route,
        segments,
        ApiRequest(method="GET", path=path, query=b"q=1" if route.name == "search" else b""),
        max_bytes=100,
        max_depth=4,
    )
    if API.tree.confused(route, segments):
        with pytest.raises(Malformed, match="another operation"):
            write_request(API, route, arguments)
        return
    written = write_request(API, route, arguments)
    assert unquote(written.target.decode().partition("?")[0]) == unquote(path.decode())


@given(
    query=st.binary(max_size=80), body=st.binary(max_size=80), headers=st.dictionaries(TEXT, TEXT, max_size=3)
)
def test_no_request_breaks_the_reader(query: bytes, body: bytes, headers: dict[str, str]) -> None:
    """It is read, or refused."""
    for name in ("search", "createPayment"):
        route = API.routes[name]
        asking = ApiRequest(
            method=route.method,
            path=b"/x",
            query=query,
            headers=headers,
            media="application/json",
            body=body,
        )
        segments = [one or "x" for one in route.segments]
        try:
            read_arguments(route, segments, asking, max_bytes=60, max_depth=4)
        except Malformed:
            continue


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXT),
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(
            st.one_of(
                TEXT,
                st.sampled_from(
                    ["get", "post", "parameters", "requestBody", "content", "schema", "$ref", "in", "name",
                     "properties", "required", "type", "items", "allOf", "application/json", "responses",
                     "200", "headers", "operationId"]
                ),
            ),
            below,
            max_size=5,
        ),
    ),
    max_leaves=30,
)  # fmt: skip


@given(
    paths=st.dictionaries(st.sampled_from(["/a", "/a/{id}", "/{x}/b", "b", "/a/"]), JSON_VALUES, max_size=4)
)
def test_no_document_breaks_the_reader(paths: dict[str, Json]) -> None:
    """It is read, with what cannot be sent left out, or it is refused as a whole."""
    try:
        api = read_api({"openapi": "3.0.0", "paths": paths})
    except ConfigInvalid:
        return
    for route in api.routes.values():
        json.dumps(route.wire)


@given(location=st.one_of(st.text(max_size=60), NASTY.map(lambda text: f"http://shop.example/v1/{text}")))
def test_a_location_is_below_the_api_or_dropped(location: str) -> None:
    """A location that is passed on is a path of plain segments, and never an address."""
    found = located(location, "http://shop.example/v1", "/customers/c-1")
    if found:
        path = unquote(found.partition("?")[0])
        assert path.startswith("/")
        assert ".." not in path.split("/")
        assert not found.startswith("//")


HEADER = st.tuples(
    st.sampled_from(
        [b"content-type", b"location", b"set-cookie", b"etag", b"x-total", b"authorization", b"link"]
    ),
    st.binary(max_size=40),
)


@given(headers=st.lists(HEADER, max_size=8))
def test_a_head_passes_by_name_alone(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever stands in it."""
    reply = read_head(200, headers, base="http://shop.example", gives=frozenset({"x-total"}), asked="/a")
    assert reply.head.headers.keys() <= {"content-type", "etag", "x-total"}
    for value in reply.head.headers.values():
        assert not re.search(r"[\r\n\x00]", value)


@given(
    body=st.binary(max_size=400),
    piece=st.sampled_from([ReplyPiece.EVENTS, ReplyPiece.LINES, ReplyPiece.TEXT, ReplyPiece.BYTES]),
)
def test_a_body_that_is_cut_is_given_whole(body: bytes, piece: ReplyPiece) -> None:
    """However it is cut, each byte is given once; and no bytes break its reader."""
    given_on = b""
    waiting = b""
    for at in range(0, len(body), 7):
        seen = len(waiting)
        waiting += body[at : at + 7]
        end = complete(piece, waiting, seen)
        # What was looked at before is not looked at again, and nothing is missed by that.
        assert end == complete(piece, waiting)
        read_piece(piece, waiting[:end], given_on[-20:])
        given_on, waiting = given_on + waiting[:end], waiting[end:]
    assert given_on + waiting == body


@given(media=st.text(max_size=60))
def test_any_media_type_is_read_as_something(media: str) -> None:
    """What is not known is bytes."""
    assert piece_of(media) in ReplyPiece
