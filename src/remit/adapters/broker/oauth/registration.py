# SPDX-License-Identifier: Apache-2.0
"""remit's own secret at an authorization server, where that lets its clients have another (RFC 7592).

1. the client's record is read, with the token that opens it; a server may give the next such token with each
   answer, and then the old one opens nothing: it is kept before anything else is asked. Where it was lost
   with an answer, the configured one is tried: somebody may have laid another one there
2. the record is written back without its secret: a server that rotates gives another one. One that gives the
   same again does not, and that is said
3. a secret is tried by taking back a token that never was (RFC 7009 section 2.2: 200 to the client alone)

An answer to 2 that is lost with the next token leaves nothing that remit could do by itself: the secret that
it knows is dead, and the record closed. That is said, with what a person can do.

What is kept of it is one text: the secret, and the token that opens the record.
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

#: RFC 7592 section 2.2: what a client does not send.
_NOT_SENT: Final = (
    "client_secret",
    "client_secret_expires_at",
    "client_id_issued_at",
    "registration_access_token",
    "registration_client_uri",
)


#: The record is closed to whoever asks with this token: 401 or 403 (RFC 7592 section 2.1), and from some
#: servers what they say of a request that they make nothing of.
CLOSED: Final = "record-closed"
_CLOSED_BY: Final = {"GET": (400, 401, 403, 404), "PUT": (401, 403)}


class _Kept(msgspec.Struct, frozen=True):
    secret: str
    opens: str

    @property
    def text(self) -> str:
        """As it is kept."""
        return orjson.dumps({"secret": self.secret, "opens": self.opens}).decode()


def secret_in(text: str) -> str:
    """Return the secret in what is kept; of a text of another form that itself."""
    try:
        return msgspec.json.decode(text, type=_Kept).secret
    except msgspec.MsgspecError:
        return text


class OAuthClientSecret:
    """`ports.rotating.Rotating`: the secret of one client. `first` and `opens` read what the configuration
    names: the secret, and the token that opens the record at first.
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
        """Take where the client's record is; `tried` asks, as whoever knows a secret, for nothing."""
        self._url = url
        self._client_id = client_id
        self._first = first
        self._opens = opens
        self._tried = tried
        self._web = web
        self.sink = f"client {client_id} of {urlsplit(url).netloc}"

    @property
    def first(self) -> str:
        """Read both."""
        return _Kept(self._first(), self._opens()).text

    async def change(self, old: str, new: str, keep: Keep) -> str:
        """1, 2. `new` is not what counts afterwards: the server makes its own."""
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
        """1. The record holds the secret that counts."""
        told, kept = await self._record(self._read(current), keep)
        return _Kept(self._secret_of(told), kept.opens).text

    async def works(self, secret: str) -> Probe:
        """3."""
        try:
            answer = await self._tried(secret_in(secret))
        except KeyUnavailable:
            return Probe.UNREACHABLE
        # RFC 6749 section 5.2: 401, or 400 where the client did not use a header.
        if answer.status == 401 or answer.object.get("error") == "invalid_client":
            return Probe.REFUSED
        return Probe.ACCEPTED if answer.status == 200 else Probe.UNREACHABLE

    async def publish(self, secret: str) -> None:
        """Nobody else has it."""

    async def _record(self, kept: _Kept, keep: Keep) -> tuple[dict[str, Json], _Kept]:
        """1. Give the record, and what is kept from now on."""
        try:
            told, opens = await self._asked("GET", kept.opens, None)
        except KeyUnavailable as fault:
            laid = self._laid()
            if fault.code != CLOSED or laid in ("", kept.opens):
                raise
            told, opens = await self._asked("GET", laid, None)
        return told, await self._keep(kept, opens, keep)

    async def _keep(self, kept: _Kept, opens: str, keep: Keep) -> _Kept:
        """Keep what opens the record from now on, with the secret of before."""
        if opens == kept.opens:
            return kept
        now_is = _Kept(kept.secret, opens)
        await keep(now_is.text)
        return now_is

    def _laid(self) -> str:
        """Read the configured token, which somebody may have replaced; empty where it is not there."""
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
