# SPDX-License-Identifier: Apache-2.0
"""Sign-in of people at an OpenID Connect provider.

Authorization code with PKCE and nonce (OpenID Connect Core 1.0), discovery (OpenID Connect Discovery 1.0),
`iss` in the answer (RFC 9207).

The operator names the provider, so it may be at any address. But each answer is bounded in size and time, no
redirect is followed, and plain `http` is used only to this machine.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import msgspec

from remit.core.canonical import parse_strict
from remit.core.errors import ConfigInvalid, Malformed, SourceUnavailable, Unauthenticated
from remit.core.json_value import Json
from remit.core.keys.jwks import MAX_KEYSET_BYTES, USUAL, VerificationKeys, read_keyset, verify_signature
from remit.core.keys.jws import read_compact
from remit.core.oauth.client_metadata import LOOPBACK
from remit.ports.provider import ProvenPerson
from remit.ports.runtime import Clock

MAX_ANSWER_BYTES: Final = 262_144
TIMEOUT_S: Final = 10.0
#: Metadata and keys are fetched again after this time; keys also when a token names an unknown one.
KEEP = timedelta(minutes=10)
#: Least time between two fetches of the keys, whatever tokens name.
KEYS_AT_MOST_EVERY = timedelta(seconds=10)
LEEWAY_S: Final = 30


class _Metadata(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)


class OidcProvider:
    """`ports.provider.Provider` over aiohttp."""

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        clock: Clock,
        client_secret: str = "",
        scopes: tuple[str, ...] = ("openid",),
        ca_file: Path | None = None,
    ) -> None:
        """Take remit's client registration; raise `ConfigInvalid` for an invalid issuer or unusable
        authorities.
        """
        _check(issuer)
        self.issuer = issuer
        self._client_id = client_id
        self._secret = client_secret
        self._scopes = tuple(dict.fromkeys(("openid", *scopes)))
        self._clock = clock
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError):
            raise ConfigInvalid(f"the certificate authorities in `{ca_file}` cannot be read") from None
        self._metadata: tuple[datetime, _Metadata] | None = None
        self._keys: tuple[datetime, VerificationKeys] | None = None
        self._one = asyncio.Lock()

    async def address(
        self, *, redirect_uri: str, state: str, nonce: str, challenge: str, fresh: bool = False
    ) -> str:
        """Return the address to send the browser to."""
        metadata = await self._discovered()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if fresh else {}),
        }
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return metadata.authorization_endpoint + joint + urlencode(asked)

    async def redeem(
        self, *, code: str, issuer: str, redirect_uri: str, verifier: str, nonce: str
    ) -> ProvenPerson:
        """Exchange the returned code for a checked ID token."""
        metadata = await self._discovered()
        # RFC 9207 section 2.4: refuse another server's answer, and a missing name where the server sends one.
        if issuer != metadata.issuer and (issuer or metadata.authorization_response_iss_parameter_supported):
            raise _refused("the answer is from another provider", "sign-in-issuer")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._client_id,
        }
        headers = {}
        if self._secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret)}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        elif self._secret:
            form["client_secret"] = self._secret
        status, body = await self._ask("POST", metadata.token_endpoint, form=form, headers=headers)
        answer = _object(body)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise _refused("the provider refused the code", "sign-in-code-refused")
        return await self._checked(token, metadata, nonce)

    async def _checked(self, token: str, metadata: _Metadata, nonce: str) -> ProvenPerson:
        """Check an ID token as OpenID Connect Core section 3.1.3.7 requires."""
        try:
            read = read_compact(token, max_bytes=MAX_ANSWER_BYTES)
        except Malformed as error:
            raise _refused("the provider's ID token cannot be read", "sign-in-token", str(error)) from None
        algorithms = USUAL & set(metadata.id_token_signing_alg_values_supported)
        if read.header.get("alg") not in algorithms:
            raise _refused("the provider's ID token has an unsupported signature algorithm", "sign-in-token")
        keys = await self._keys_for(read.header, metadata)
        try:
            verify_signature(token, read.header, keys.candidates(read.header))
        except Unauthenticated:
            raise _refused("the signature of the provider's ID token is invalid", "sign-in-token") from None
        claims, now = read.claims, self._clock.now().timestamp()
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        expires, issued = claims.get("exp"), claims.get("iat")
        holds = (
            claims.get("iss") == metadata.issuer
            and self._client_id in listed
            and (len(listed) == 1 or claims.get("azp") == self._client_id)
            and claims.get("azp", self._client_id) == self._client_id
            and isinstance(expires, int | float)
            and now < expires + LEEWAY_S
            and isinstance(issued, int | float)
            and issued <= now + LEEWAY_S
            and claims.get("nonce") == nonce
            and isinstance(claims.get("sub"), str)
            and 0 < len(claims["sub"]) <= 255
        )
        if not holds:
            raise _refused("the provider's ID token is not for this sign-in", "sign-in-token")
        since = claims.get("auth_time")
        return ProvenPerson(
            issuer=metadata.issuer,
            subject=claims["sub"],
            claims=claims,
            authenticated=datetime.fromtimestamp(since, UTC) if type(since) is int else None,
        )

    async def _discovered(self) -> _Metadata:
        async with self._one:
            if self._metadata and self._clock.now() < self._metadata[0] + KEEP:
                return self._metadata[1]
            address = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            status, body = await self._ask("GET", address)
            try:
                metadata = msgspec.convert(_object(body), _Metadata)
            except msgspec.ValidationError as error:
                raise self._down("its metadata is incomplete", str(error)) from None
            # OpenID Connect Discovery section 4.3: exact match.
            if status != 200 or metadata.issuer != self.issuer:
                raise self._down("its metadata belongs to another issuer", metadata.issuer)
            for one in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri):
                try:
                    _check(one)
                except ConfigInvalid as error:
                    raise self._down("an address in its metadata is not usable", str(error)) from None
            self._metadata = (self._clock.now(), metadata)
            return metadata

    async def _keys_for(self, header: Mapping[str, Json], metadata: _Metadata) -> VerificationKeys:
        async with self._one:
            now = self._clock.now()
            if self._keys is not None:
                since, keys = self._keys
                known = bool(keys.candidates(header))
                if now < since + (KEEP if known else KEYS_AT_MOST_EVERY):
                    return keys
            status, body = await self._ask("GET", metadata.jwks_uri)
            if status != 200:
                raise self._down("its keys cannot be fetched")
            try:
                found = read_keyset(body)
            except Malformed as error:
                raise self._down("its keys cannot be read", str(error)) from None
            self._keys = (now, found)
            return found

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                aiohttp.ClientSession(
                    cookie_jar=aiohttp.DummyCookieJar(),
                    trust_env=False,
                    headers={"Accept": "application/json"},
                ) as session,
                session.request(
                    method, url, data=form, headers=headers, ssl=self._tls, allow_redirects=False
                ) as answer,
            ):
                body = await answer.content.read(MAX_ANSWER_BYTES + 1)
                while len(body) <= MAX_ANSWER_BYTES and (more := await answer.content.read(65_536)):
                    body += more
                if len(body) > MAX_ANSWER_BYTES:
                    raise self._down("its answer is too large")
                return answer.status, body
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._down("it does not answer", type(error).__name__) from None

    def _down(self, why: str, debug: str = "") -> SourceUnavailable:
        return SourceUnavailable(
            f"the identity provider is unavailable now: {why}",
            code="provider-unavailable",
            remediation="try again, or sign in another way",
            debug=debug,
        )


def _object(body: bytes) -> dict[str, Json]:
    try:
        value = parse_strict(body, max_bytes=MAX_KEYSET_BYTES, max_depth=16)
    except Malformed:
        value = None
    return value if isinstance(value, dict) else {}


def _check(url: str) -> None:
    parts = urlsplit(url)
    if not parts.hostname or (
        parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK)
    ):
        raise ConfigInvalid(f"the provider's address `{url[:200]}` is not an https address")


def _refused(message: str, code: str, debug: str = "") -> Unauthenticated:
    return Unauthenticated(message, code=code, remediation="start again", debug=debug, step=1)
