# SPDX-License-Identifier: Apache-2.0
"""Rego behind the policy port, on an OPA server, by its data API.

The server has the bundle that `remit policy build` makes. Each answer names the bundle's revision, and counts
only if that is the revision of the policies in force here.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal

import aiohttp
import msgspec

from remit.adapters.policy.rego.bundle import BuiltPolicies
from remit.adapters.policy.rego.engine import RegoPolicies
from remit.adapters.policy.rego.program import OpaProgram
from remit.adapters.policy.rego.request_input import RegoAnswer, RegoQuestions
from remit.adapters.policy.rego.rule_groups import DECISION
from remit.adapters.policy.rule_report import refused
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer
from remit.core.errors import KeyUnavailable
from remit.core.label import Classes
from remit.core.policy.vocabulary import DeclaredNames
from remit.ports.policy import LoadedPolicy, RuleInForce, ServedPolicy

MAX_ANSWER_BYTES: Final = 1 << 20
MAX_CONNECTIONS: Final = 64
_PATH: Final = f"/v1/data/{DECISION}?provenance=true&strict-builtin-errors=true"
_OUTAGE: Final = "see that the OPA server runs and can be reached; calls are refused until then"
_DEPLOY: Final = "give the server the bundle that `remit policy build` makes of these policies"


class _Bundle(msgspec.Struct, frozen=True):
    revision: str = ""


class _Provenance(msgspec.Struct, frozen=True):
    bundles: dict[str, _Bundle] = {}


class _Answer(msgspec.Struct, frozen=True):
    result: RegoAnswer | None = None
    provenance: _Provenance = _Provenance()


_DECODE = msgspec.json.Decoder(_Answer).decode


class ServerFault(Exception):
    """Raised where a server gives no usable answer; takes the reason and the remediation."""

    def __init__(self, why: str, remediation: str) -> None:
        """Take both texts."""
        super().__init__(why)
        self.remediation = remediation


class OpaServer:
    """A client of one OPA server; for one event loop. `token` is called for each request."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 2.0,
        token: Callable[[], str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take the address; the first request connects."""
        self._url = url.rstrip("/") + _PATH
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._token = token
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, document: bytes, revision: str) -> RegoAnswer:
        """Return the decision on an input (JSON) by policies of this revision; raise `ServerFault`."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=self._tls or True)
            self._session = aiohttp.ClientSession(connector=connector)
        try:
            headers = {"content-type": "application/json"}
            if self._token is not None:
                headers["authorization"] = f"Bearer {self._token()}"
            async with self._session.post(
                self._url,
                data=b'{"input":' + document + b"}",
                headers=headers,
                # A redirect would send the token and the facts elsewhere.
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                content = bytearray()
                async for chunk in response.content.iter_chunked(MAX_ANSWER_BYTES):
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise ServerFault("the policy server answers without an end", _OUTAGE)
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise ServerFault("the policy server does not answer", _OUTAGE) from None
        except KeyUnavailable as fault:
            raise ServerFault("the token for the policy server cannot be read", fault.remediation) from None
        return _read(status, bytes(content), revision)


def _read(status: int, content: bytes, revision: str) -> RegoAnswer:
    if status in (401, 403):
        raise ServerFault("the policy server refuses the token", "check `policy.server.token`")
    if status != 200:
        # With strict errors, this is how OPA reports a rule that cannot be evaluated.
        raise ServerFault(
            f"the policy server reports a failure (status {status})", "read the log of the OPA server"
        )
    try:
        answer = _DECODE(content)
    except (msgspec.DecodeError, ValueError):
        raise ServerFault("the policy server gives no complete answer", _DEPLOY) from None
    if revision not in {one.revision for one in answer.provenance.bundles.values()}:
        raise ServerFault("the policy server decides by another version of the policies", _DEPLOY)
    if answer.result is None:
        raise ServerFault("the policy server has no such decision", _DEPLOY)
    return answer.result


class OpaPolicies(RegoPolicies):
    """Checks Rego policies here, and has a server decide by them (`remit.ports.policy.PolicyEngine`)."""

    def __init__(
        self,
        server: OpaServer,
        *,
        classes: Classes | None = None,
        program: OpaProgram | None = None,
        declared: DeclaredNames | None = None,
    ) -> None:
        """Take the server; for the rest see `RegoPolicies`."""
        super().__init__(classes=classes, program=program, in_process=False, declared=declared)
        self._server = server

    def _loaded(
        self, policies: BuiltPolicies, questions: RegoQuestions, schema: str
    ) -> LoadedPolicy | ServedPolicy:
        seed = msgspec.json.encode([policies.revision, schema])
        digest = "sha256:" + hashlib.sha256(seed).hexdigest()
        return RegoServed(questions, self._server, policies.revision, digest)


class RegoServed:
    """One version of the policies, decided by a server (`remit.ports.policy.ServedPolicy`)."""

    served: ClassVar[Literal[True]] = True

    def __init__(self, questions: RegoQuestions, server: OpaServer, revision: str, digest: str) -> None:
        """Take the revision that the server must have."""
        self._questions = questions
        self._server = server
        self._revision = revision
        self.digest = digest
        self.history = questions.history

    def rules(self) -> Sequence[RuleInForce]:
        """Return every rule."""
        return self._questions.in_force()

    async def ask(self, request: AccessRequest) -> PolicyAnswer:
        """Have the server decide one request; see the port."""
        place = self._questions.place(request)
        if isinstance(place, PolicyAnswer):
            return place
        document = self._questions.document(place, 0, request)
        if isinstance(document, PolicyAnswer):
            return document
        try:
            found = await self._server.ask(document, self._revision)
        except ServerFault as fault:
            return refused(str(fault), fault.remediation)
        return self._questions.answer(request.tool, found)
