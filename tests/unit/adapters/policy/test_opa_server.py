# SPDX-License-Identifier: Apache-2.0
"""A real OPA server decides by the bundle that remit built, and by no other; anything else refuses."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from flask import Response

from remit.adapters.policy.rego.bundle import revision_of
from remit.adapters.policy.rego.server import OpaPolicies, OpaServer
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.ports.policy import PolicySource, ServedPolicy
from tests.samples.policy_requests import CLERK, PAY, READ, SUMMARISE, TOOLS, request, source
from tests.servers import opa_server
from tests.servers.local_server import LocalServer, serving
from tests.servers.opa_server import RunningOpa

POLICIES = source(
    """package remit

permit contains "all"

# METADATA
# custom:
#   reason: not {tool} today
#   otherwise: approval
forbid contains "ask" if input.action.id == "bank/pay"

forbid contains "number" if to_number(input.context.args.path) > 43
""",
    "policies/test.rego",
)
CALL = request(READ, {"path": "42"})


@asynccontextmanager
async def policies(
    url: str, sources: list[PolicySource], timeout_s: float = 60
) -> AsyncIterator[ServedPolicy]:
    """Load policies that the server at an address decides."""
    server = OpaServer(url, timeout_s=timeout_s, token=lambda: "secret")
    try:
        policy = engine(server).load(sources, TOOLS, [SUMMARISE], [CLERK])
        assert policy.served
        yield policy
    finally:
        await server.close()


def engine(server: OpaServer) -> OpaPolicies:
    """Return the engine."""
    return OpaPolicies(server, program=opa_server.program())


@pytest.fixture(scope="module")
def bundle() -> PolicySource:
    """Build the bundle once."""
    return engine(OpaServer("http://127.0.0.1:1")).bundle(POLICIES, TOOLS, [SUMMARISE])


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory, bundle: PolicySource) -> Iterator[RunningOpa]:
    """Run a server with the bundle."""
    with opa_server.running(tmp_path_factory.mktemp("opa"), bundle) as server:
        yield server


def refusal(answer: PolicyAnswer) -> str:
    """Return the error of an answer that permits nothing and says what to do."""
    assert weigh(answer, frozenset(answer.waivable))[0] is Outcome.DENY
    (error,) = answer.errors
    assert answer.reasons[0].remediation
    return error


async def test_the_server_decides(opa: RunningOpa) -> None:
    """Permit, question and refusal are as the rules have it."""
    async with policies(opa.url, POLICIES) as policy:
        answer = await policy.ask(CALL)
        assert [(one.id, one.digest) for one in answer.permits] == [
            one[:2] for one in policy.rules() if one.id == "all"
        ]
        asked = await policy.ask(request(PAY, {"to": "x", "amount": 1}))
        assert weigh(asked, frozenset()) == (Outcome.DEFER, asked.waivable)
        assert asked.reasons[0].text == "not bank/pay today"
        refused = await policy.ask(request(READ, {"path": "44"}))
        assert [one.id for one in refused.forbids] == ["number"]


async def test_a_function_that_fails_refuses(opa: RunningOpa) -> None:
    """Without strict errors the rule would be undefined, and the call permitted."""
    async with policies(opa.url, POLICIES) as policy:
        error = refusal(await policy.ask(request(READ, {"path": "C-42"})))
        assert "status 500" in error
        assert "C-42" not in error


async def test_another_version_refuses(opa: RunningOpa) -> None:
    """A server that has not taken over the policies in force does not decide, even if it would permit."""
    newer = source(POLICIES[0].text.replace("today", "tomorrow"), POLICIES[0].file)
    async with policies(opa.url, newer) as policy:
        assert "another version" in refusal(await policy.ask(CALL))


async def test_a_bundle_can_stand_in_for_its_sources(opa: RunningOpa, bundle: PolicySource) -> None:
    """Where the bundle itself is the policy file, no `opa` is needed here."""
    async with policies(opa.url, [bundle]) as policy:
        assert [one.id for one in (await policy.ask(CALL)).permits] == ["all"]


async def test_a_server_without_policies_refuses(tmp_path: Path) -> None:
    """Undefined is not permitted."""
    with opa_server.running(tmp_path) as server:
        async with policies(server.url, POLICIES) as policy:
            assert "another version" in refusal(await policy.ask(CALL))


async def test_a_server_that_ends_refuses_until_it_is_back(tmp_path: Path, bundle: PolicySource) -> None:
    """An outage refuses calls, and ends with the outage."""
    with opa_server.running(tmp_path, bundle) as server:
        async with policies(server.url, POLICIES) as policy:
            assert (await policy.ask(CALL)).permits
            server.stop()
            assert "does not answer" in refusal(await policy.ask(CALL))
            server.start(bundle)
            assert (await policy.ask(CALL)).permits


async def test_a_token_that_the_server_refuses(tmp_path: Path) -> None:
    """The server's own policy lets in another token only."""
    own = tmp_path / "authz.rego"
    own.write_text('package system.authz\ndefault allow := false\nallow if input.identity == "other"\n')
    options = ("--authentication=token", "--authorization=basic", str(own))
    with opa_server.running(tmp_path, None, *options) as server:
        async with policies(server.url, POLICIES) as policy:
            assert "refuses the token" in refusal(await policy.ask(CALL))


async def test_a_server_that_is_silent_refuses(bundle: PolicySource) -> None:
    """The wait for an answer ends, and the call is refused."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with policies(url, [bundle], timeout_s=0.2) as policy:
            assert "does not answer" in refusal(await policy.ask(CALL))


class LyingServer(LocalServer):
    """A server that answers what it is told to."""

    def __init__(self) -> None:
        super().__init__("lying")
        self.answer = Response()
        self.asked: list[str] = []

        @self._app.post("/v1/data/<path:path>")
        def decide(path: str) -> Response:
            from flask import request as received

            self.asked.append(received.headers["authorization"])
            return self.answer


async def test_nonsense_refuses(bundle: PolicySource) -> None:
    """Whatever is no whole decision of this revision refuses; the token is sent, and not to another place."""
    with serving(LyingServer()) as server:
        async with policies(server.url, [bundle]) as policy:
            revision = revision_of(POLICIES)
            proof = {"bundles": {"b": {"revision": revision}}}

            async def answers(body: object, status: int = 200, **headers: str) -> PolicyAnswer:
                text = body if isinstance(body, str) else json.dumps(body)
                server.answer = Response(text, status, headers)
                return await policy.ask(CALL)

            good = {"permit": ["all"], "forbid": []}
            assert (await answers({"result": good, "provenance": proof})).permits
            for body in (
                "",
                "true",
                "{",
                {},
                {"result": good},
                {"provenance": proof},
                {"result": True, "provenance": proof},
                {"result": {"permit": ["all"]}, "provenance": proof},
                {"result": {"permit": "all", "forbid": []}, "provenance": proof},
                {"result": {"permit": [], "forbid": [1]}, "provenance": proof},
                {"result": {"permit": ["other"], "forbid": []}, "provenance": proof},
                {"result": {"permit": ["all", "ask"], "forbid": []}, "provenance": proof},
                {"result": {**good, "more": 1}, "provenance": proof},
                "x" * (2 << 20),
            ):
                refusal(await answers(body))
            refusal(await answers({"result": good, "provenance": proof}, 302, location=f"{server.url}/other"))
            refusal(await answers({"result": good, "provenance": proof}, 404))
            assert set(server.asked) == {"Bearer secret"}
