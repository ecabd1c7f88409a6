# SPDX-License-Identifier: Apache-2.0
"""`ports.issuers.TrustedIssuers` over OIDC: metadata, key sets, and checks of tokens against them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.adapters.attestor.refreshed import KEPT_S, RefreshedTrustBundle, read_source
from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, SourceUnavailable, Unauthenticated
from remit.core.identity.platforms import Platform
from remit.core.identity.posture import PostureClaim, stated
from remit.core.identity.registered_claims import check_registered
from remit.core.keys.jwks import (
    MAX_KEYSET_BYTES,
    USUAL,
    VerificationKey,
    VerificationKeys,
    read_keyset,
    verify_signature,
)
from remit.core.keys.jws import Compact, read_compact
from remit.ports.fetch import Fetch
from remit.ports.issuers import IssuedToken, IssuerUse, SignedToken
from remit.ports.runtime import Clock

#: Bounds of a key set's freshness in seconds: least, most, and the default if the answer states none.
MIN_FRESH_S: Final = 60.0
MAX_FRESH_S: Final = 3600.0
USUAL_FRESH_S: Final = 900.0
MAX_METADATA_BYTES: Final = 65_536
#: `typ` of tokens without a stated purpose (RFC 7519 section 5.1), or of access tokens (RFC 9068).
PLAIN_TYPES: Final = frozenset({"", "jwt", "at+jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One issuer that the configuration trusts: its name, its uses, and the place of its keys.

    Keys come from `jwks_file`, else from `jwks_uri`, else from the address in the issuer's metadata.
    `max_life_s` bounds the validity of its tokens; 0 means no bound. `posture` are the claims that
    policies may read, by the names under which they do.
    """

    name: str
    issuer: str
    audience: str
    uses: frozenset[IssuerUse]
    fetch: Fetch
    algorithms: frozenset[str] = USUAL
    platform: Platform | None = None
    leeway_s: int = 30
    max_life_s: int = 24 * 3600
    kept_s: float = KEPT_S
    jwks_uri: str = ""
    jwks_file: Path | None = None
    posture: Mapping[str, PostureClaim] = field(default_factory=dict)


class _Known(msgspec.Struct, frozen=True):
    """Known facts about an issuer: its keys, and the algorithms in its metadata (None: not stated)."""

    keys: VerificationKeys
    algorithms: frozenset[str] | None = None


class OidcIssuers:
    """Verifies tokens of all configured issuers. Each issuer has a separate cache."""

    def __init__(self, issuers: Sequence[Issuer], clock: Clock) -> None:
        """Take the issuers: no two with the same `iss` for the same use. Nothing is fetched before it is
        needed.
        """
        self._clock = clock
        self._issuers = {(one.issuer, use): one for one in issuers for use in one.uses}
        self._keys = {one.name: _cache(one, clock) for one in issuers}

    async def close(self) -> None:
        """Stop fetching."""
        for cache in self._keys.values():
            await cache.close()

    async def faults(self) -> dict[str, str]:
        """Query each issuer; return by name why its keys are unavailable, or an empty text if they are
        available.
        """
        found = await asyncio.gather(*(cache.fault() for cache in self._keys.values()))
        return dict(zip(self._keys, found, strict=True))

    def trusts(self, token: str, use: IssuerUse) -> bool:
        """Return whether the token names an issuer that is trusted for this use."""
        try:
            return (_issuer(_compact(token)), use) in self._issuers
        except Unauthenticated:
            return False

    async def verify(
        self, token: str, *, use: IssuerUse, audience: str = "", token_type: str = ""
    ) -> IssuedToken:
        """Return header and claims of a token that is valid now; raise `Unauthenticated`."""
        compact = _compact(token)
        # 1. The issuer is trusted for this use.
        issuer = self._issuers.get((_issuer(compact), use))
        if issuer is None:
            raise _refused(
                f"has an issuer that is not trusted for {use.value}",
                "token-issuer",
                "add it under `trust.issuers`",
            )
        # 2. The token is for this purpose. Checks without keys come first, because they need no fetch.
        _check_type(compact, token_type, use)
        held = check_registered(
            compact.claims,
            audience=audience or issuer.audience,
            now=self._clock.now(),
            leeway_s=issuer.leeway_s,
            max_life_s=issuer.max_life_s,
        )
        if use is IssuerUse.WORKLOADS and issuer.platform is not None:
            issuer.platform.check(compact.claims)
        # 3. The signature is the issuer's.
        verify_signature(token, compact.header, await self._candidates(issuer, compact, use))
        return IssuedToken(
            name=issuer.name,
            issuer=issuer.issuer,
            subject=held.subject,
            expires=held.expires,
            header=compact.header,
            claims=compact.claims,
            token_id=held.token_id,
            instance=issuer.platform.instance_of(compact.claims) if issuer.platform else "",
            posture=stated(issuer.posture, compact.claims),
        )

    async def signed(self, token: str, *, use: IssuerUse, token_type: str) -> SignedToken:
        """Return header and claims of a token with a valid signature; raise `Unauthenticated`."""
        compact = _compact(token)
        issuer = self._issuers.get((_issuer(compact), use))
        if issuer is None:
            raise _refused(f"has an issuer that is not trusted for {use.value}", "token-issuer")
        _check_type(compact, token_type, use)
        verify_signature(token, compact.header, await self._candidates(issuer, compact, use))
        return SignedToken(
            name=issuer.name, issuer=issuer.issuer, header=compact.header, claims=compact.claims
        )

    async def _candidates(
        self, issuer: Issuer, compact: Compact, use: IssuerUse
    ) -> tuple[VerificationKey, ...]:
        algorithm = compact.header.get("alg")
        not_accepted = _refused(
            "has an unsupported signature algorithm",
            "token-algorithm",
            f"sign it with one of {', '.join(sorted(issuer.algorithms))}",
        )
        if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
            raise not_accepted
        cache = self._keys[issuer.name]
        try:
            known = await cache.current()
            found = known.keys.candidates(compact.header)
            if not found:
                # An unknown key may be new: fetch again, as often as the cache permits.
                known = await cache.renewed()
                found = known.keys.candidates(compact.header)
        except SourceUnavailable as fault:
            raise Unauthenticated(
                f"the keys of issuer `{issuer.name}` are unavailable now",
                code="issuer-unavailable",
                remediation="try again in a moment",
                debug=f"{fault.code}: {fault}; {fault.debug}",
                step=1,
            ) from None
        # The metadata describes ID tokens; an ID-JAG or a security event token is not one.
        speaks = use not in (IssuerUse.ID_JAG, IssuerUse.SIGNALS)
        if speaks and algorithm not in (known.algorithms or {algorithm}):
            raise not_accepted
        if not found:
            raise _refused("is signed with a key that its issuer does not publish", "token-signature")
        return found


def _cache(issuer: Issuer, clock: Clock) -> RefreshedTrustBundle[_Known]:
    source = _KeySource(issuer)
    return RefreshedTrustBundle(
        f"the key set of issuer `{issuer.name}`", source.read, clock, kept_s=issuer.kept_s
    )


class _KeySource:
    """The source of one issuer's keys."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def read(self) -> tuple[_Known, float]:
        """Return the issuer's known facts and how many seconds they are fresh.

        Raises `RemitError` or `OSError`.
        """
        issuer = self._issuer
        if issuer.jwks_file is not None:
            content = await asyncio.to_thread(read_source, issuer.jwks_file)
            return _Known(read_keyset(content)), MIN_FRESH_S
        algorithms: frozenset[str] | None = None
        address = issuer.jwks_uri
        if not address:
            address, algorithms = await self._metadata()
        answer = await issuer.fetch.get(
            address, accept="application/jwk-set+json, application/json", max_bytes=MAX_KEYSET_BYTES
        )
        if answer.status != 200:
            raise SourceUnavailable(f"`{address[:200]}` answered {answer.status}", code="fetch-failed")
        age = answer.max_age_s
        fresh_s = USUAL_FRESH_S if age is None else min(max(age, MIN_FRESH_S), MAX_FRESH_S)
        return _Known(read_keyset(answer.body), algorithms), fresh_s

    async def _metadata(self) -> tuple[str, frozenset[str] | None]:
        address = _metadata_of(self._issuer)
        answer = await self._issuer.fetch.get(address, max_bytes=MAX_METADATA_BYTES)
        if answer.status != 200:
            raise SourceUnavailable(f"`{address[:200]}` answered {answer.status}", code="fetch-failed")
        metadata = parse_strict(answer.body, max_bytes=MAX_METADATA_BYTES, max_depth=16)
        # Section 4.3: the issuer in the document must equal the requested one exactly.
        if not isinstance(metadata, dict) or metadata.get("issuer") != self._issuer.issuer:
            raise Malformed(f"`{address[:200]}` is the metadata of another issuer", code="issuer-metadata")
        place = metadata.get("jwks_uri")
        if not isinstance(place, str):
            raise Malformed(f"`{address[:200]}` has no key set address", code="issuer-metadata")
        named = metadata.get("id_token_signing_alg_values_supported")
        if not isinstance(named, list):
            return place, None
        return place, frozenset(one for one in named if isinstance(one, str))


def _metadata_of(issuer: Issuer) -> str:
    """Return the address of an issuer's metadata."""
    if issuer.uses == {IssuerUse.SIGNALS}:
        # SSF 1.0 section 7.2.1: the well-known part is between host and path.
        parts = urlsplit(issuer.issuer)
        return f"{parts.scheme}://{parts.netloc}/.well-known/ssf-configuration{parts.path.rstrip('/')}"
    # OpenID Connect Discovery 1.0 section 4: below the issuer, without its trailing slash.
    return issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"


def _compact(token: str) -> Compact:
    try:
        # `x5t` names a certificate without including one; Microsoft Entra writes it into each header.
        return read_compact(token, permitted=("x5t",))
    except Malformed as fault:
        raise _refused("cannot be read", "token-malformed", debug=fault.debug or fault.message) from None


def _issuer(compact: Compact) -> str:
    issuer = compact.claims.get("iss")
    return issuer if isinstance(issuer, str) else ""


def _check_type(compact: Compact, wanted: str, use: IssuerUse) -> None:
    # RFC 8725 section 3.11: the issuer's tokens of another type must not be accepted as this one.
    found = str(compact.header.get("typ", "")).lower().removeprefix("application/")
    if wanted:
        fine = found == wanted.lower()
    else:
        fine = found in PLAIN_TYPES and (found != "at+jwt" or use is IssuerUse.WORKLOADS)
    if not fine:
        raise _refused("has another type", "token-type", f"present one of type `{wanted or 'JWT'}`")


def _refused(what: str, code: str, remediation: str = "", debug: str = "") -> Unauthenticated:
    return Unauthenticated(f"the token {what}", code=code, remediation=remediation, debug=debug, step=1)
