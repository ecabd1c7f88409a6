# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC 2.0 messages: the envelope is parsed once, its content stays bytes.

A result of many megabytes is never turned into objects here. It is checked to be JSON in UTF-8 without line
breaks between its values, so that code which embeds it in another message cannot be misled about its end.
"""

import re

import msgspec
import orjson

from remit.core.cooperative_steps import Steps
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import Malformed, UpstreamFault
from remit.core.json_value import Json
from remit.core.tools.http_api import ReplyPiece

RequestId = str | int

_ABSENT = msgspec.Raw(b"")
_RESULT, _ERROR = ChunkKind.RESULT, ChunkKind.ERROR
_PIECES = frozenset(one.value for one in ReplyPiece)
# Places of the id in most servers' messages: before the result, or at the very end.
_ID_AT_START = re.compile(rb'^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,18})\s*,')
_ID_AT_END = re.compile(rb'"id"\s*:\s*(\d{1,18})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')

#: The answer to a server's request that this version does not pass on.
NOT_OFFERED = b'{"code":-32601,"message":"this client does not take requests from servers"}'
METHOD_NOT_FOUND = -32601


class Message(msgspec.Struct):
    """One message from a server. Absent members are empty bytes."""

    jsonrpc: str
    id: RequestId | None = None
    method: str = ""
    params: msgspec.Raw = _ABSENT
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class RpcError(msgspec.Struct):
    """The `error` of a response."""

    code: int
    message: str = ""
    data: Json = None


class _Flags(msgspec.Struct):
    """The members of a result that decide its kind; everything else is skipped."""

    isError: bool = False  # noqa: N815 - the wire's own name
    resultType: str = "complete"  # noqa: N815 - the wire's own name


_decode_message = msgspec.json.Decoder(Message).decode
_decode_flags = msgspec.json.Decoder(_Flags).decode
_decode_error = msgspec.json.Decoder(RpcError).decode


def read_message(data: bytes, name: str) -> Message:
    """Read one message of the upstream `name`; raises `UpstreamFault`.

    Batches (JSON-RPC 2.0 section 6) are refused: no supported protocol revision has them.
    """
    try:
        message = _decode_message(data)
        if not data.isascii():
            data.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken(name, "sent something that is not a JSON-RPC message", debug=str(error)) from error
    if message.jsonrpc != "2.0":
        raise broken(name, "uses another version of JSON-RPC")
    if not message.method and bool(message.result) == bool(message.error):
        raise broken(name, "sent a response that is neither a result nor an error")
    return message


def response_chunk(message: Message, name: str, *, modern: bool) -> Steps[Chunk]:
    """Return the last chunk of a call from its response; raises `UpstreamFault` for a malformed result.

    2026-07-28: a `resultType` of `input_required` asks for input, `task` defers the outcome; an unknown one
    becomes an error.
    """
    if message.error:
        body = standalone(message.error)
        try:
            _decode_error(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise broken(name, "sent an error without code", debug=str(error)) from error
        return Chunk(_ERROR, body)
    body = bytes(message.result)
    yield
    body = _in_one_line(body)
    yield
    try:
        flags = _decode_flags(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise broken(name, "sent a result with an invalid structure", debug=str(error)) from error
    if modern and flags.resultType == "input_required":
        return Chunk(_RESULT, body, wants_input=True)
    if modern and flags.resultType == "task":
        return Chunk(_RESULT, body, deferred=True)
    if modern and flags.resultType != "complete":
        return Chunk(_ERROR, _not_passed_on(flags.resultType))
    return Chunk(_RESULT, body, is_error=flags.isError)


def notification_chunk(message: Message) -> Chunk:
    """Return the chunk of a notification or of a server's request."""
    kind = ChunkKind.NOTIFICATION if message.id is None else ChunkKind.REQUEST
    # The method name identifies a piece of an HTTP answer: no server may use such a name in its own message.
    method = "" if message.method in _PIECES else message.method
    return Chunk(kind, standalone(message.params) or b"{}", method, request_id=message.id)


def standalone(raw: msgspec.Raw) -> bytes:
    """Copy a raw value out of its message, without line breaks (JSON has them only between its values)."""
    return _in_one_line(bytes(raw))


def _in_one_line(body: bytes) -> bytes:
    # (`find`, not `in`: `in` first tries the bytes as a number, which costs an exception.)
    if body.find(b"\n") >= 0 or body.find(b"\r") >= 0:
        return msgspec.json.format(body, indent=-1)
    return body


def read_error(message: Message) -> RpcError:
    """Return the error of a response, with code 0 if it has no usable one."""
    try:
        return _decode_error(message.error)
    except (msgspec.DecodeError, RecursionError):
        return RpcError(0)


def read_value(raw: msgspec.Raw, name: str) -> dict[str, Json]:
    """Read a small object (params of a notification, result of a handshake); raises `UpstreamFault`."""
    if not raw:
        return {}
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise broken(name, "sent a value that is not JSON", debug=str(error)) from error
    if not isinstance(value, dict):
        raise broken(name, "sent a value that is not an object")
    return value


def write_request(request_id: RequestId, method: str, params: dict[str, Json]) -> bytes:
    """Serialise a request once; raises `Malformed` for a value that JSON cannot represent."""
    try:
        return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise Malformed(
            "the arguments cannot be written as JSON",
            remediation="use strings, finite numbers within 64 bits, lists and objects",
            debug=str(error),
        ) from error


def write_notification(method: str, params: dict[str, Json]) -> bytes:
    """Serialise a notification."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def write_response(request_id: RequestId, body: bytes, *, error: bool) -> bytes:
    """Serialise the answer to a server's request from its raw result or error."""
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": request_id, "error" if error else "result": orjson.Fragment(body)}
    )


def guess_id(head: bytes, tail: bytes) -> int | None:
    """Find the id of a message that cannot be read as a whole, from its first and last bytes."""
    found = _ID_AT_START.search(head) or _ID_AT_END.search(tail)
    return int(found[1]) if found else None


def broken(name: str, what: str, *, debug: str = "") -> UpstreamFault:
    """Return the fault of an upstream that violates its protocol; its calls may have taken effect."""
    return UpstreamFault(
        f"upstream `{name}` {what}",
        sent=True,
        remediation="check the outcome at the upstream, and repair it",
        debug=debug,
    )


def stream_ended(name: str) -> UpstreamFault:
    """Return the fault of a stream that ends before its answer.

    2025-11-25 permits a server to close the stream and the client to request the rest by `Last-Event-ID`;
    remit does not request it.
    """
    return UpstreamFault(
        f"upstream `{name}` ended its stream without an answer",
        sent=True,
        remediation="check the outcome at the upstream; remit does not resume streams "
        "(`Last-Event-ID`), so the upstream must keep a call's stream open until the answer",
    )


def too_large(name: str, limit: int) -> UpstreamFault:
    """Return the fault of an answer beyond the limit."""
    return UpstreamFault(
        f"the answer of upstream `{name}` exceeds {limit} bytes",
        sent=True,
        remediation="ask for less, or raise `max_result_bytes`",
        code="upstream-too-large",
    )


def _not_passed_on(result_type: str) -> bytes:
    return orjson.dumps(
        {
            "code": -32603,
            "message": "the tool did not complete: its result has a type that remit does not forward",
            "data": {"code": "not-passed-on", "resultType": result_type[:40]},
        }
    )
