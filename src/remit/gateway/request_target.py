# SPDX-License-Identifier: Apache-2.0
"""Request targets that name their host (RFC 9112 section 3.2.2): remit serves only its own name, and is no
proxy.
"""

from __future__ import annotations

from typing import Final

from remit.gateway.asgi import Application, Receive, Scope, Send, refused_header, respond
from remit.gateway.http.problems import PROBLEM_TYPE, HttpProblem

#: Scope key of the target of a request that names its host: absolute form, or `CONNECT`.
TARGET: Final = "remit.target"


def own_target_only(inner: Application, public_url: str) -> Application:
    """Wrap all endpoints: refuse tunnels, and targets with another host than remit's own."""
    base = public_url.rstrip("/")
    own = base.lower().encode() + b"/"

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if TARGET not in scope or scope[TARGET].lower().startswith(own):
            await inner(scope, receive, send)
            return
        problem = HttpProblem(
            "this is not a proxy", 421, code="not-here", remediation=f"call `{base}/http/UPSTREAM/...`"
        )
        lines = (PROBLEM_TYPE, refused_header(problem.code))
        await respond(send, problem.status, problem.body(), lines)

    return serve
