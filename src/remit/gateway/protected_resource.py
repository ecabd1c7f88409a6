# SPDX-License-Identifier: Apache-2.0
"""An endpoint as a protected resource, exactly as MCP's authorization requires: tokens and challenges.

Each path is a separate resource: `/mcp`, `/mcp/{upstream}` and `/http/{upstream}` accept only tokens for them
(RFC 8707), and each states where such tokens come from (RFC 9728). A valid token with too little scope is
answered with `insufficient_scope` and all needed scopes (step-up); a token that needs a proof with a nonce is
answered with the nonce (RFC 9449 section 9).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

import orjson

from remit.core.decisions.mediation import Step
from remit.core.errors import (
    Fenced,
    NotFound,
    ProofRefused,
    RemitError,
    StoreUnavailable,
    Suspended,
    Unauthenticated,
)
from remit.core.ids import NAME
from remit.core.oauth.access_token import AccessClaims
from remit.core.oauth.dpop import ALGORITHMS
from remit.core.oauth.resource import TASK_SCOPE
from remit.gateway.asgi import Scope, Send, respond
from remit.ports.runtime import Clock
from remit.services.identity.authenticator import Authenticator
from remit.services.oauth.presented_tokens import Identified, PresentedToken
from remit.services.oauth.server import AuthorizationServer

METADATA: Final = "/.well-known/oauth-protected-resource"
_ALGORITHMS: Final = " ".join(ALGORITHMS)
_HEADER = tuple[bytes, bytes]


class ProtectedResource:
    """An endpoint's resources, and the authentication of their callers."""

    def __init__(
        self,
        *,
        public_url: str,
        prefix: str,
        clock: Clock,
        authenticator: Authenticator,
        oauth: AuthorizationServer,
    ) -> None:
        """Take where the endpoint lies, and what issues and judges its tokens."""
        self._base = public_url.rstrip("/")
        self._prefix = prefix
        self._clock = clock
        self._authenticator = authenticator
        self._presented = oauth.presented
        self._proofs = oauth.proofs

    def identify(
        self,
        scope: Scope,
        *,
        authorization: Sequence[bytes],
        proofs: Sequence[bytes],
        resource: str,
        url: str,
    ) -> Identified:
        """Authenticate the caller (step 1); raise `Unauthenticated`.

        `authorization` and `proofs` are all values in the request; `resource` is the path of the resource
        (empty: any resource of this deployment), `url` the URL for a proof, without query.
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
        now = self._clock.now()
        wanted = self._base + resource if resource else ""
        return self._presented.identify(showing, now, resource=wanted)

    async def refused(self, error: RemitError, endpoint: str, claims: AccessClaims | None) -> bool:
        """Return whether an error is a refusal of step 1 or 2; record such a one, and only count a flood.

        `claims` are those of a token that is valid; without them the evidence names no agent and task.
        """
        ended = error.step == Step.BIND and isinstance(error, Fenced | NotFound | Suspended)
        if not ended and not isinstance(error, Unauthenticated):
            return False
        agent, task = (claims.client_id, claims.task) if claims else ("", "")
        # The refusal holds even if it cannot be recorded.
        with contextlib.suppress(StoreUnavailable):
            await self._authenticator.refused(error, endpoint, agent=agent, task=task)
        return True

    def challenges(self, path: str, error: RemitError) -> tuple[_HEADER, ...]:
        """Return the headers of a refusal: the credentials needed (RFC 6750 section 3, RFC 9449 section
        7.1).
        """
        where = f'resource_metadata="{self._base}{METADATA}{self.path_of(path)}", scope="{TASK_SCOPE}"'
        if isinstance(error, ProofRefused):
            said = f'DPoP error="{error.error}", error_description="{error.code}", algs="{_ALGORITHMS}"'
            nonce = error.nonce or self._proofs.nonce()
            return (_challenge(f"{said}, {where}"), (b"dpop-nonce", nonce.encode()))
        if error.code == "no-task":
            # The token is valid but not sufficient: MCP's step-up, with all needed scopes.
            return (_challenge(f'Bearer error="insufficient_scope", {where}'),)
        if error.code == "no-token":
            # RFC 6750 section 3.1: no error code if no credentials were sent.
            return (_challenge(f"Bearer {where}"), _challenge(f'DPoP algs="{_ALGORITHMS}", {where}'))
        said = f'error="invalid_token", error_description="{error.code}"'
        return (
            _challenge(f"Bearer {said}, {where}"),
            _challenge(f'DPoP {said}, algs="{_ALGORITHMS}", {where}'),
        )

    async def metadata(self, scope: Scope, send: Send) -> None:
        """Serve the metadata (RFC 9728): the authorization server that issues tokens for this resource.

        Every upstream name gets a document, so that names cannot be probed without a token.
        """
        path = scope["path"][len(METADATA) :].rstrip("/")
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, 405, b"", ((b"allow", b"GET, HEAD"),))
            return
        # RFC 9728 section 3.3: a document at the root could only describe a resource that does not exist
        # here.
        if path != self.path_of(path):
            await respond(send, 404, b"")
            return
        document = {
            "resource": f"{self._base}{path}",
            "authorization_servers": [self._authenticator.issuer],
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
        """Return the path of the resource to which a request path belongs."""
        name = path.removeprefix(self._prefix + "/").rstrip("/")
        return (
            f"{self._prefix}/{name}"
            if path.startswith(self._prefix + "/") and NAME.match(name)
            else self._prefix
        )


def _challenge(text: str) -> _HEADER:
    return b"www-authenticate", text.encode("latin-1")
