# SPDX-License-Identifier: Apache-2.0
"""The hooks endpoint: `POST /hooks/{client}` for each client under guard, as one ASGI application.

The checks, in this order; each one refuses the request if it fails:

1. where: a connection from this machine, made by no browser and by no proxy
2. who: the secret of this client's hooks (its digest is what remit has)
3. how much: the size of the body, and requests in progress
4. what: the event, in the form of this client; the process that sent it (`services.guard`)

A refusal after the second check is an answer in the client's form, which its model can read. A failure that
has no such form is a status that the client takes for a failed hook: with `onFailure: block` nothing happens.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from functools import partial
from typing import Any, Final

import msgspec
import orjson

from remit.core.errors import Forbidden, Malformed, NotFound, RemitError, Unauthenticated
from remit.core.hooks.event import HookAnswer, HookVerdict
from remit.core.hooks.forms import FORMS
from remit.gateway.asgi import (
    Receive,
    RequestsInProgress,
    Scope,
    Send,
    check_length,
    raw_path,
    read_body,
    respond,
)
from remit.services.guard.client import GuardedClient
from remit.services.guard.guard import CodingGuard
from remit.services.identity.authenticator import Authenticator, secret_digest
from remit.services.limits.deadlines import Deadlines

_LOG = logging.getLogger(__name__)

PREFIX: Final = "/hooks"
SECRET_HEADER: Final = b"x-remit-guard"
#: Tells a hook's program that remit has answered, and nothing else that listens at its address.
ANSWERED: Final = ((b"x-remit-answer", b"1"),)
_OWN: Final = b"/hooks/"
#: Headers of browsers and proxies: a client's hook has none.
_FOREIGN: Final = frozenset({b"origin", b"referer", b"sec-fetch-site", b"x-forwarded-for", b"forwarded"})


class HooksLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the endpoint; sizes in bytes, times in seconds. A result may be as large as an upstream's."""

    max_body_bytes: int = 64 * 1024 * 1024
    body_timeout_s: float = 30.0


class HooksEndpoint:
    """The ASGI application. Used from one event loop."""

    def __init__(
        self,
        guard: CodingGuard,
        authenticator: Authenticator,
        *,
        in_hand: RequestsInProgress,
        limits: HooksLimits | None = None,
    ) -> None:
        """Keep the services. `in_hand` is shared with other endpoints."""
        self._guard = guard
        self._authenticator = authenticator
        self._in_hand = in_hand
        self._limits = limits or HooksLimits()
        self._bodies = Deadlines()

    def owns(self, path: bytes) -> bool:
        """Return whether a path, as it was sent, belongs to this endpoint."""
        return path.startswith(_OWN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one hook."""
        self._in_hand.count += 1
        try:
            client = await self._identified(scope)
            await respond(send, 200, await self._answer(client, scope, receive), ANSWERED)
        except RemitError as error:
            await respond(send, _status(error), _problem(error))
        except Exception:  # noqa: BLE001 - the edge of the endpoint
            _LOG.exception("a hook caused an internal error")
            await respond(send, 500, _problem(RemitError("internal error", code="defect")))
        finally:
            self._in_hand.count -= 1

    async def _identified(self, scope: Scope) -> GuardedClient:
        """Do checks 1 and 2. A wrong secret is recorded; a flood of them is only counted."""
        headers = list(scope["headers"])
        peer = scope.get("client")
        if peer is None or not _is_here(peer[0]) or any(name in _FOREIGN for name, _ in headers):
            raise Forbidden(
                "hooks are taken from this machine alone",
                code="hook-origin",
                remediation="let the client call remit's loopback address itself",
            )
        if scope["method"] != "POST":
            raise Malformed("a hook is sent by POST", code="method")
        self._in_hand.check()
        name = raw_path(scope)[len(_OWN) :].decode("ascii", "replace")
        client = self._guard.clients.get(name)
        shown = [value for key, value in headers if key == SECRET_HEADER]
        digest = secret_digest(shown[0].decode("latin-1")) if len(shown) == 1 else ""
        if client is None or not hmac.compare_digest(digest, client.secret_digest):
            refused = Unauthenticated(
                "the hook does not carry the secret of a client under guard",
                code="hook-secret",
                remediation="run `remit guard install` again",
            )
            await self._authenticator.refused(refused, "hooks")
            raise refused
        return client

    async def _answer(self, client: GuardedClient, scope: Scope, receive: Receive) -> bytes:
        form = FORMS[client.name]
        limits = self._limits
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        check_length(length, limits.max_body_bytes)
        body = await read_body(
            receive, max_bytes=limits.max_body_bytes, timeout_s=limits.body_timeout_s, alarms=self._bodies
        )
        name = scope["query_string"].decode("ascii", "replace") if form.by_command else ""
        try:
            told = _object(body)
            said = told.get("hook_event_name")
            name = name or (said if isinstance(said, str) else "")
            event = form.read(told, name)
            ends = _end(scope["client"]), _end(scope["server"])
            verdict = await self._guard.answer(client, event, ends, partial(_gone, receive))
        except RemitError as fault:
            self._guard.failed(client, fault)
            verdict = _refused(fault)
        return orjson.dumps(form.answered(name, verdict))


async def _gone(receive: Receive) -> None:
    """Return once the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _end(given: Any) -> tuple[str, int]:
    return str(given[0]), int(given[1])


def _is_here(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise Malformed("a hook's body is one JSON object", code="hook-format")
    return told


def _refused(fault: RemitError) -> HookVerdict:
    way = f"\nWhat would help: {fault.remediation}." if fault.remediation else ""
    text = f"remit could not decide, so nothing was permitted: {fault.message}.{way}"
    return HookVerdict(answer=HookAnswer.DENY, text=text)


def _status(error: RemitError) -> int:
    for kind, status in ((Unauthenticated, 401), (Forbidden, 403), (NotFound, 404), (Malformed, 400)):
        if isinstance(error, kind):
            return status
    return 503


def _problem(error: RemitError) -> bytes:
    told = {"code": error.code, "detail": error.message}
    return orjson.dumps(told | ({"remediation": error.remediation} if error.remediation else {}))
