# SPDX-License-Identifier: Apache-2.0
"""The routes of shared signals outside of the route table: metadata, and pushes from transmitters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import answer
from remit.api.oauth.paths import JWKS_PATH
from remit.api.ssf import paths
from remit.api.ssf.push import push
from remit.core.signals.security_event_token import POLL, PUSH
from remit.services.signals.assembly import SignalServices

Serve = Callable[[Request], Awaitable[Response]]


def routes(signals: SignalServices, public_url: str) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Return every path of shared signals, with the handler of each method."""

    async def take(request: Request) -> Response:
        return await push(request, signals.heard)

    async def told(_: Request) -> Response:
        return metadata(public_url)

    out: list[tuple[str, dict[str, Serve]]] = []
    if signals.heard.transmitters:
        out.append((paths.PUSH_PATH, {"POST": take}))
    if signals.streams.receivers:
        out.append((paths.METADATA_PATH, {"GET": told}))
    return tuple(out)


def metadata(base: str) -> Response:
    """Return the transmitter metadata: how to receive remit's events (SSF 1.0 section 7.1)."""
    return answer(
        {
            "spec_version": "1_0",
            "issuer": base,
            "jwks_uri": base + JWKS_PATH,
            "delivery_methods_supported": [PUSH, POLL],
            "configuration_endpoint": base + paths.STREAMS_PATH,
            "status_endpoint": base + paths.STATUS_PATH,
            "add_subject_endpoint": base + paths.ADD_PATH,
            "remove_subject_endpoint": base + paths.REMOVE_PATH,
            "verification_endpoint": base + paths.VERIFY_PATH,
            "critical_subject_members": ["session"],
            # RFC 6749: receivers are agents of this deployment, with tokens of its authorization server.
            "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
            "default_subjects": "ALL",
        }
    )
