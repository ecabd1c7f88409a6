# SPDX-License-Identifier: Apache-2.0
"""A door as a protected resource, to the letter of MCP's authorization: who may ask, and what is said.

Each path is a resource of its own: `/mcp`, `/mcp/{upstream}` and `/http/{upstream}` accept exactly the tokens
that are for them (RFC 8707), and each says where such tokens come from (RFC 9728). A token that holds but is
not enough is answered with `insufficient_scope` and all that is needed (step-up); one that needs a proof with
a nonce, with the nonce (RFC 9449 section 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from remit.core.errors import ProofRefused, RemitError, Unauthenticated
from remit.core.ids import NAME
from remit.core.oauth.dpop import ALGORITHMS
from remit.core.oauth.resource import TASK_SCOPE
from remit.gateway.asgi import Scope, Send, respond
from remit.services.assembly.services import Services
from remit.services.oauth.presented_tokens import Identified, PresentedToken

METADATA: Final = "/.well-known/oauth-protected-resource"
_ALGORITHMS: Final = " ".join(ALGORITHMS)
_HEADER = tuple[bytes, bytes]


class ProtectedResource:
    """What a door knows of its own resources, and of those who ask for them."""

    def __init__(self, house: Services, prefix: str) -> None:
        """Take the services, and where the door lies."""
        self._house = house
        self._base = house.public_url.rstrip("/")
        self._prefix = prefix

    def identify(
        self,
        scope: Scope,
        *,
        authorization: Sequence[bytes],
        proofs: Sequence[bytes],
        resource: str,
        url: str,
    ) -> Identified:
        """Step 1. Give who asks; raises `Unauthenticated`.

        `authorization` and `proofs` are all values that the request shows; `resource` is the path of the
        resource (empty: any of this house), `url` what a proof is for, without query.
        """
        if len(authorization) > 1:
            raise Unauthenticated(
                "the request has more than one token",
                code="bad-authorization",
                remediation="send `Authorization` once",
                step=1,
            )
        showing = PresentedToken(
            authorization=authorization[0].decode("latin-1") if authorization else None,
            method=scope["method"],
            url=url,
            proofs=[proof.decode("latin-1") for proof in proofs],
            certificate=scope.get("remit.peer_certificate", ()),
        )
        now = self._house.clock.now()
        wanted = self._base + resource if resource else ""
        return self._house.credentials.identify(showing, now, resource=wanted)

    def challenges(self, path: str, error: RemitError) -> tuple[_HEADER, ...]:
        """Return the headers of a refusal: what would do (RFC 6750 section 3, RFC 9449 section 7.1)."""
        where = f'resource_metadata="{self._base}{METADATA}{self.path_of(path)}", scope="{TASK_SCOPE}"'
        if isinstance(error, ProofRefused):
            said = f'DPoP error="{error.error}", error_description="{error.code}", algs="{_ALGORITHMS}"'
            nonce = error.nonce or self._house.proofs.nonce()
            return (_challenge(f"{said}, {where}"), (b"dpop-nonce", nonce.encode()))
        if error.code == "no-task":
            # The token holds and is not enough: MCP's step-up, with all scopes that are needed.
            return (_challenge(f'Bearer error="insufficient_scope", {where}'),)
        if error.code == "no-token":
            # RFC 6750 section 3.1: no error where no credentials were shown.
            return (_challenge(f"Bearer {where}"), _challenge(f'DPoP algs="{_ALGORITHMS}", {where}'))
        said = f'error="invalid_token", error_description="{error.code}"'
        return (
            _challenge(f"Bearer {said}, {where}"),
            _challenge(f'DPoP {said}, algs="{_ALGORITHMS}", {where}'),
        )

    async def metadata(self, scope: Scope, send: Send) -> None:
        """Answer for the metadata (RFC 9728): which authorization server issues tokens for this resource.

        Any upstream's name gets a document, so that names cannot be tried out without a token.
        """
        path = scope["path"][len(METADATA) :].rstrip("/")
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, 405, b"", ((b"allow", b"GET, HEAD"),))
            return
        # RFC 9728 section 3.3: a document at the root could only speak of a resource that is not here.
        if path != self.path_of(path):
            await respond(send, 404, b"")
            return
        document = {
            "resource": f"{self._base}{path}",
            "authorization_servers": [self._house.authenticator.issuer],
            "scopes_supported": [TASK_SCOPE],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "dpop_bound_access_tokens_required": False,
            "tls_client_certificate_bound_access_tokens": True,
            "authorization_details_types_supported": ["mission_resource_access"],
            "resource_name": "remit",
        }
        await respond(send, 200, b"" if scope["method"] == "HEAD" else orjson.dumps(document))

    def path_of(self, path: str) -> str:
        """Return the path of the resource that a request path belongs to."""
        name = path.removeprefix(self._prefix + "/").rstrip("/")
        return (
            f"{self._prefix}/{name}"
            if path.startswith(self._prefix + "/") and NAME.match(name)
            else self._prefix
        )


def _challenge(text: str) -> _HEADER:
    return b"www-authenticate", text.encode("latin-1")
