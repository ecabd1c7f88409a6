# SPDX-License-Identifier: Apache-2.0
"""Rotation of remit's own client secret at an authorization server that supports RFC 7592.

1. remit reads the client's record with the registration access token. A server may issue a new such token
   with each answer, which invalidates the old one, so the new token is stored before any other request. If it
   was lost with an answer, remit tries the configured token: an operator may have put a new one there.
2. remit writes the record back without its secret: a server that rotates issues another secret. If the server
   returns the same secret again, it does not rotate, and remit reports that.
3. A secret is tested by revoking a token that never existed (RFC 7009 section 2.2: only the client gets 200).

If the answer to step 2 is lost together with the next token, remit cannot recover by itself: the secret that
it knows is dead, and the record is closed. remit reports that, and what an operator can do.

The stored state is one text: the secret, and the token for the record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec
import orjson

from remit.adapters.broker.http import BrokerHttp, BrokerResponse
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.ports.broker import Probe
from remit.ports.rotating import Keep

#: RFC 7592 section 2.2: members that a client does not send.
_NOT_SENT: Final = (
    "client_secret",
    "client_secret_expires_at",
    "client_id_issued_at",
    "registration_access_token",
    "registration_client_uri",
)


#: The record is closed to the holder of this token: 401 or 403 (RFC 7592 section 2.1), and from some servers
#: the status that they use for a request they do not understand.
CLOSED: Final = "record-closed"
_CLOSED_BY: Final = {"GET": (400, 401, 403, 404), "PUT": (401, 403)}


class _Kept(msgspec.Struct, frozen=True):
    secret: str
    opens: str

    @property
    def text(self) -> str:
        """The stored form."""
        return orjson.dumps({"secret": self.secret, "opens": self.opens}).decode()


def secret_in(text: str) -> str:
    """Return the secret in a stored text; a text of another form is returned unchanged."""
    try:
        return msgspec.json.decode(text, type=_Kept).secret
    except msgspec.MsgspecError:
        return text


class OAuthClientSecret:
    """`ports.rotating.Rotating`: the secret of one client.

    `first` and `opens` read values of the configuration: the first secret, and the first token for the
    record.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        first: Callable[[], str],
        opens: Callable[[], str],
        tried: Callable[[str], Awaitable[BrokerResponse]],
        web: BrokerHttp,
    ) -> None:
        """Store the address of the client's record; `tried` sends a request without effect, authenticated by
        a secret.
        """
        self._url = url
        self._client_id = client_id
        self._first = first
        self._opens = opens
        self._tried = tried
        self._web = web
        self.sink = f"client {client_id} of {urlsplit(url).netloc}"

    @property
    def first(self) -> str:
        """The configured secret and registration token, in stored form."""
        return _Kept(self._first(), self._opens()).text

    async def change(self, old: str, new: str, keep: Keep) -> str:
        """Rotate the secret (steps 1 and 2). `new` is not used: the server creates its own secret."""
        record, kept = await self._record(self._read(old), keep)
        body = {name: one for name, one in record.items() if name not in _NOT_SENT}
        told, opens = await self._asked("PUT", kept.opens, body | {"client_id": self._client_id})
        await self._keep(kept, opens, keep)
        given = _Kept(self._secret_of(told), opens)
        if given.secret == kept.secret:
            raise KeyUnavailable(
                f"the server returned the old secret for `{self.sink}`",
                code="secret-kept",
                remediation="it does not rotate secrets this way: remove `rotate`, or use a key for remit",
            )
        return given.text

    async def known(self, current: str, keep: Keep) -> str:
        """Read the current secret from the record (step 1)."""
        told, kept = await self._record(self._read(current), keep)
        return _Kept(self._secret_of(told), kept.opens).text

    async def works(self, secret: str) -> Probe:
        """Do step 3."""
        try:
            answer = await self._tried(secret_in(secret))
        except KeyUnavailable:
            return Probe.UNREACHABLE
        # RFC 6749 section 5.2: 401, or 400 where the client did not authenticate by a header.
        if answer.status == 401 or answer.object.get("error") == "invalid_client":
            return Probe.REFUSED
        return Probe.ACCEPTED if answer.status == 200 else Probe.UNREACHABLE

    async def publish(self, secret: str) -> None:
        """Do nothing: no other party uses the secret."""

    async def _record(self, kept: _Kept, keep: Keep) -> tuple[dict[str, Json], _Kept]:
        """Read the record (step 1); return it and the state to store from now on."""
        try:
            told, opens = await self._asked("GET", kept.opens, None)
        except KeyUnavailable as fault:
            laid = self._laid()
            if fault.code != CLOSED or laid in ("", kept.opens):
                raise
            told, opens = await self._asked("GET", laid, None)
        return told, await self._keep(kept, opens, keep)

    async def _keep(self, kept: _Kept, opens: str, keep: Keep) -> _Kept:
        """Store the new token for the record, with the old secret."""
        if opens == kept.opens:
            return kept
        now_is = _Kept(kept.secret, opens)
        await keep(now_is.text)
        return now_is

    def _laid(self) -> str:
        """Read the configured token, which an operator may have replaced; empty if it is missing."""
        try:
            return self._opens()
        except KeyUnavailable:
            return ""

    async def _asked(self, method: str, opens: str, body: Json) -> tuple[dict[str, Json], str]:
        """Return the record, and the token that opens it from now on."""
        headers = {"Authorization": f"Bearer {opens}", "Content-Type": "application/json"}
        answer = await self._web.ask(method, self._url, headers=headers, json=body)
        told = answer.object
        if answer.status in _CLOSED_BY[method]:
            raise KeyUnavailable(
                f"the registration of `{self.sink}` is not accessible: the server refuses every "
                "registration token that remit has",
                code=CLOSED,
                remediation="create another registration token at the server and store it where "
                "`registration_token` points; or register remit again and configure the new id, secret, "
                "address and token. remit tries again every minute",
            )
        if answer.status != 200 or told.get("client_id") != self._client_id:
            raise KeyUnavailable(
                f"the registration of `{self.sink}` cannot be read: status {answer.status}",
                code="source-refused",
                remediation="check that `registration_url` is the client's registration",
            )
        following = told.get("registration_access_token")
        return told, following if isinstance(following, str) and following else opens

    def _secret_of(self, told: dict[str, Json]) -> str:
        secret = told.get("client_secret")
        if not isinstance(secret, str) or not secret or not secret.isprintable():
            raise KeyUnavailable(
                f"the registration of `{self.sink}` contains no secret",
                code="source-refused",
                remediation="the server does not return it: remove `rotate`, or use a key for remit",
            )
        return secret

    def _read(self, text: str) -> _Kept:
        try:
            return msgspec.json.decode(text, type=_Kept)
        except msgspec.MsgspecError:
            raise KeyUnavailable(
                f"the stored data of `{self.sink}` does not give access to its registration",
                code="secret-unclear",
                remediation="set a new secret at the server, and configure secret and token",
            ) from None
