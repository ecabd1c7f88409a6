# SPDX-License-Identifier: Apache-2.0
"""Attests workloads that present an SVID: X.509-SVIDs over mTLS, JWT-SVIDs, and WIT-SVIDs with a proof."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from remit.adapters.attestor.bundles import Source
from remit.adapters.attestor.refreshed import KEPT_S, RefreshedTrustBundle
from remit.core.errors import SourceUnavailable, Unauthenticated
from remit.core.identity.key_bound_svid import check_proof, check_wit_svid, wit_svid_id
from remit.core.identity.spiffe import TrustAnchors, check_jwt_svid, check_x509_svid, jwt_svid_id, leaf_id
from remit.core.identity.workload import Assurance, AttestationMethod, Attested, Confirmation, SpiffeId
from remit.ports.attestor import (
    JWT_SPIFFE_TYPE,
    JWT_TYPE,
    Shown,
    ShownAssertion,
    ShownCertificate,
    ShownProof,
)
from remit.ports.runtime import Clock

T = TypeVar("T")


class SpiffeAttestor:
    """`ports.attestor.Attestor` for trust domains with known bundles.

    Any other trust domain is refused as foreign.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        clock: Clock,
        *,
        audience: str,
        leeway_s: int = 30,
        kept_s: float = KEPT_S,
        own: Mapping[str, Callable[[], TrustAnchors]] | None = None,
    ) -> None:
        """Take a source for each trust domain. `audience` is the required audience of JWT-SVIDs.

        `own` maps this remit's own trust domains to functions that return their current bundles. remit knows
        the workloads there only by user and program, so their SVIDs prove no more than that and, with a
        certificate, its key.
        """
        self._own = dict(own or {})
        self._clock = clock
        self._audience = audience
        self._leeway_s = leeway_s
        self._domains = {
            name: RefreshedTrustBundle(f"the bundle of trust domain `{name}`", source, clock, kept_s=kept_s)
            for name, source in sources.items()
        }

    async def close(self) -> None:
        """Stop reading bundles."""
        for bundle in self._domains.values():
            await bundle.close()

    async def faults(self) -> dict[str, str]:
        """Read each bundle; return by trust domain why it is unavailable, or an empty text if it is
        available.
        """
        found = await asyncio.gather(*(bundle.fault() for bundle in self._domains.values()))
        return dict(zip(self._domains, found, strict=True))

    def judges(self, shown: Shown) -> bool:
        """Return whether the evidence claims a SPIFFE ID of any trust domain."""
        try:
            match shown:
                case ShownCertificate(chain_der):
                    leaf_id(chain_der)
                case ShownAssertion(token, type):
                    if type not in (JWT_TYPE, JWT_SPIFFE_TYPE):
                        return False
                    jwt_svid_id(token)
                case ShownProof():
                    return True
                case _:
                    return False
        except Unauthenticated:
            # Evidence declared as an SVID is judged here even if it is not one.
            return isinstance(shown, ShownAssertion) and shown.type == JWT_SPIFFE_TYPE
        return True

    async def attest(self, shown: Shown) -> Attested:
        """Return the SPIFFE ID of a valid SVID; raise `Unauthenticated`."""
        match shown:
            case ShownCertificate(chain_der):
                return await self._certificate(chain_der)
            case ShownAssertion(token, type) if type in (JWT_TYPE, JWT_SPIFFE_TYPE):
                return await self._token(token, alone=type == JWT_SPIFFE_TYPE)
            case ShownProof():
                return await self._proven(shown)
            case _:
                raise Unauthenticated("this is not an SVID", code="not-attestable", step=1)

    async def _certificate(self, chain_der: tuple[bytes, ...]) -> Attested:
        def check(anchors: TrustAnchors) -> Attested:
            svid = check_x509_svid(chain_der, anchors, self._now())
            digest = hashlib.sha256(chain_der[0]).digest()
            return Attested(
                workload=str(svid.spiffe_id),
                method=AttestationMethod.X509_SVID,
                assurance=self._assurance(svid.spiffe_id, AttestationMethod.X509_SVID),
                confirmation=Confirmation(x5t_s256=base64.urlsafe_b64encode(digest).rstrip(b"=").decode()),
                token_id=f"{svid.leaf.serial_number:x}",
                expires=svid.expires,
            )

        return await self._under(leaf_id(chain_der), check)

    async def _token(self, token: str, *, alone: bool) -> Attested:
        def check(anchors: TrustAnchors) -> Attested:
            svid = check_jwt_svid(
                token, anchors, audience=self._audience, now=self._now(), leeway_s=self._leeway_s
            )
            # draft-ietf-oauth-spiffe-client-auth: the audience of a client assertion is the issuer alone.
            if alone and len(svid.registered.audience) != 1:
                raise Unauthenticated(
                    "the SVID has further audiences",
                    code="token-audience",
                    remediation=f"ask for one with only the audience `{self._audience}`",
                    step=1,
                )
            return Attested(
                workload=str(svid.spiffe_id),
                method=AttestationMethod.JWT_SVID,
                assurance=self._assurance(svid.spiffe_id, AttestationMethod.JWT_SVID),
                facts=svid.claims,
                token_id=svid.registered.token_id,
                expires=svid.registered.expires,
            )

        return await self._under(jwt_svid_id(token), check)

    async def _proven(self, shown: ShownProof) -> Attested:
        def check(anchors: TrustAnchors) -> Attested:
            svid = check_wit_svid(shown.token, anchors, now=self._now(), leeway_s=self._leeway_s)
            proof = check_proof(
                shown.proof, shown.token, svid, url=shown.url, now=self._now(), leeway_s=self._leeway_s
            )
            return Attested(
                workload=str(svid.spiffe_id),
                method=AttestationMethod.WIT_SVID,
                assurance=self._assurance(svid.spiffe_id, AttestationMethod.WIT_SVID),
                facts=svid.claims,
                token_id=svid.registered.token_id,
                expires=svid.registered.expires,
                used=proof,
            )

        return await self._under(wit_svid_id(shown.token), check)

    def _assurance(self, spiffe_id: SpiffeId, method: AttestationMethod) -> Assurance:
        if spiffe_id.trust_domain not in self._own:
            return method.assurance
        # INVARIANT: an identity that was only asserted to remit gains no assurance from a document of remit.
        held = Assurance.KEY_BOUND if method is AttestationMethod.X509_SVID else Assurance.ASSERTED
        return min(held, method.assurance)

    async def _under(self, claimed: SpiffeId, check: Callable[[TrustAnchors], T]) -> T:
        """Check against the trust domain's bundle, and again against a newer one if that may help."""
        if own := self._own.get(claimed.trust_domain):
            # In this process nothing is cached, so that a dropped key loses effect at once.
            return check(own())
        bundle = self._domains.get(claimed.trust_domain)
        if bundle is None:
            raise Unauthenticated(
                f"trust domain `{claimed.trust_domain[:100]}` is not trusted here",
                code="svid-foreign",
                remediation="add it under `trust.spiffe`, with its bundle",
                step=1,
            )
        try:
            anchors = await bundle.current()
            try:
                return check(anchors)
            except Unauthenticated as refused:
                if refused.code != "svid-untrusted":
                    raise
                newer = await bundle.renewed()
                if newer is anchors:
                    raise
                return check(newer)
        except SourceUnavailable as fault:
            raise Unauthenticated(
                f"the bundle of trust domain `{claimed.trust_domain}` is unavailable now",
                code="bundle-unavailable",
                remediation="try again in a moment",
                debug=f"{fault.code}: {fault}; {fault.debug}",
                step=1,
            ) from None

    def _now(self) -> datetime:
        return self._clock.now()
