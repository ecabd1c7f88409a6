# SPDX-License-Identifier: Apache-2.0
"""The SDK's OAuth client: what it believes of servers, and what it never does.

Others' client scenarios run it against whole servers (`tests/interop`); here are the parts, one by one.
"""

import asyncio
import json
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode

import pytest

from remit_sdk.dpop import DpopProver, challenge_error
from remit_sdk.errors import AgentFault, GatewayRefused
from remit_sdk.key import AgentKey
from remit_sdk.oauth import AuthorizationCode, ClientCredentials, OAuthClient, OAuthIdentity
from remit_sdk.oauth.discovery import IssuerMetadata, covers, find_resource, find_server, read_challenge
from remit_sdk.oauth.endpoint import TokenEndpoint
from remit_sdk.oauth.grants import GrantContext, checked_response
from remit_sdk.oauth.web import HttpPage, OAuthHttp, checked_url

Json = Any

ISSUER = "https://issuer.example"
RESOURCE = "https://tools.example/mcp/files"
RESOURCE_METADATA = "https://tools.example/.well-known/oauth-protected-resource/mcp/files"
BACK = "http://127.0.0.1:9/callback"


class ScriptedWeb(OAuthHttp):
    """Servers that answer as they are told, and remember what they were asked."""

    def __init__(self, pages: Mapping[str, Json]) -> None:
        """Take the documents by address; what is not among them is not found. No connection is made."""
        self.pages = dict(pages)
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answers: list[HttpPage] = []

    async def get(self, url: str) -> HttpPage:
        """Return a document."""
        checked_url(url)
        found = self.pages.get(url)
        return HttpPage(404, {}, b"") if found is None else page(found)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> HttpPage:
        """Return the next answer."""
        self.asked.append((url, dict(form), dict(headers)))
        return self.answers.pop(0)


def page(value: Json, status: int = 200, **headers: str) -> HttpPage:
    """An answer with a JSON value."""
    return HttpPage(
        status, {name.replace("_", "-"): one for name, one in headers.items()}, json.dumps(value).encode()
    )


def a_server(**facts: Json) -> IssuerMetadata:
    """An authorization server with a token endpoint."""
    return IssuerMetadata(ISSUER, {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token", **facts})


TOKEN = {"access_token": "abc", "token_type": "Bearer", "expires_in": 300}


async def test_document_of_another_resource_is_refused() -> None:
    """A resource's metadata counts for that resource and what lies below it, and for nothing else."""
    for resource, good in (
        (RESOURCE, True),
        ("https://tools.example/mcp", True),
        ("https://tools.example", True),
        ("https://tools.example/mcp/fil", False),
        ("https://tools.example.evil/mcp/files", False),
        ("http://tools.example/mcp/files", False),
        ("https://tools.example/mcp/notes", False),
    ):
        assert covers(resource, RESOURCE) is good
        web = ScriptedWeb({RESOURCE_METADATA: {"resource": resource, "authorization_servers": [ISSUER]}})
        if good:
            assert (await find_resource(web, RESOURCE, read_challenge({}))).issuer == ISSUER
        else:
            with pytest.raises(AgentFault, match="another resource"):
                await find_resource(web, RESOURCE, read_challenge({}))


async def test_document_of_another_issuer_is_refused() -> None:
    """An authorization server's metadata must name the issuer that it was looked up under, to the letter."""
    place = f"{ISSUER}/.well-known/oauth-authorization-server"
    for issuer in (f"{ISSUER}/", ISSUER.upper(), "https://evil.example"):
        with pytest.raises(AgentFault, match="another issuer"):
            await find_server(ScriptedWeb({place: {"issuer": issuer}}), ISSUER)
    assert (await find_server(ScriptedWeb({place: {"issuer": ISSUER}}), ISSUER)).issuer == ISSUER


async def test_metadata_of_an_issuer_with_a_path() -> None:
    """The well-known part goes before the path, behind the origin, or behind the path, in this order."""
    issuer = f"{ISSUER}/tenant"
    for place in (
        f"{ISSUER}/.well-known/oauth-authorization-server/tenant",
        f"{ISSUER}/.well-known/openid-configuration/tenant",
        f"{ISSUER}/tenant/.well-known/openid-configuration",
    ):
        assert (await find_server(ScriptedWeb({place: {"issuer": issuer}}), issuer)).issuer == issuer


def test_secrets_go_to_safe_places_alone() -> None:
    """Plain http is for this machine; an address with a password in it is none."""
    for good in ("https://a.example/x", "http://127.0.0.1:1/x", "http://localhost/x"):
        assert checked_url(good) == good
    for bad in ("http://a.example/x", "https://u:p@a.example/", "file:///etc/passwd", "https://"):
        with pytest.raises(AgentFault):
            checked_url(bad)


def test_challenges() -> None:
    """What a resource asks for is read from whichever scheme it names, quoted or not."""
    line = 'Bearer error="insufficient_scope", scope="a b", resource_metadata="https://x.example/m"'
    assert read_challenge({"WWW-Authenticate": line}) == ("insufficient_scope", "a b", "https://x.example/m")
    both = f'Basic realm="x", DPoP error=use_dpop_nonce, algs="ES256", {line}'
    assert challenge_error({"WWW-Authenticate": both}, "dpop") == "use_dpop_nonce"
    assert challenge_error({"WWW-Authenticate": both}, "bearer") == "insufficient_scope"
    assert read_challenge({"WWW-Authenticate": 'Basic error="x"'}) == ("", "", "")


def test_authorization_responses() -> None:
    """A response counts if it came to our address, for our request, from the issuer that was asked."""
    quiet, loud = a_server(), a_server(authorization_response_iss_parameter_supported=True)

    def back(server: IssuerMetadata, **told: str) -> str:
        return checked_response(f"{BACK}?{urlencode(told)}", BACK, "s", server)

    assert back(quiet, code="c", state="s") == "c"
    assert back(loud, code="c", state="s", iss=ISSUER) == "c"
    for server, told in (
        (loud, {"code": "c", "state": "s"}),
        (loud, {"code": "c", "state": "s", "iss": f"{ISSUER}/"}),
        (quiet, {"code": "c", "state": "s", "iss": "https://evil.example"}),
        (quiet, {"code": "c", "state": "t"}),
        (quiet, {"code": "c"}),
        (quiet, {"state": "s"}),
        # An error of another issuer is not believed either.
        (loud, {"error": "access_denied", "state": "s", "iss": "https://evil.example"}),
    ):
        with pytest.raises(AgentFault) as fault:
            back(server, **told)
        assert not isinstance(fault.value, GatewayRefused)
    with pytest.raises(GatewayRefused):
        back(loud, error="access_denied", state="s", iss=ISSUER)
    for odd in (f"{BACK}?code=c&code=d&state=s", "https://evil.example/callback?code=c&state=s"):
        with pytest.raises(AgentFault):
            checked_response(odd, BACK, "s", quiet)


async def test_no_consent_without_pkce() -> None:
    """A server that does not offer S256 is not sent to."""

    async def visit(url: str) -> str:
        raise AssertionError("nobody is sent there")

    web = ScriptedWeb({})
    resource = await find_resource(
        ScriptedWeb({RESOURCE_METADATA: {"resource": RESOURCE, "authorization_servers": [ISSUER]}}),
        RESOURCE,
        read_challenge({}),
    )
    grant = AuthorizationCode(BACK, visit, {ISSUER: OAuthIdentity("us")})
    for methods in (None, ["plain"]):
        server = a_server(code_challenge_methods_supported=methods)
        with pytest.raises(AgentFault, match="PKCE"):
            await grant.token(GrantContext(web, resource, server, "", None))


async def test_each_try_has_an_assertion_and_a_proof_of_its_own() -> None:
    """A token request that is asked for a nonce is made again: what works once is never sent twice."""
    web = ScriptedWeb({})
    web.answers = [
        page({"error": "use_dpop_nonce"}, 400, DPoP_Nonce="n1"),
        page({**TOKEN, "token_type": "DPoP"}),
    ]
    who, prover = OAuthIdentity("us", key=AgentKey.generate()), DpopProver()
    token = await TokenEndpoint(web, a_server(), who, prover).ask({"grant_type": "client_credentials"})
    assert (token.text, token.kind) == ("abc", "dpop")
    (_, one, sent), (_, other, again) = web.asked
    assert one["client_assertion"] != other["client_assertion"]
    assert sent["DPoP"] != again["DPoP"]


async def test_a_refusal_is_not_retried() -> None:
    """Whatever the token endpoint refuses stays refused; the reason's code is told, and no secret."""
    web = ScriptedWeb({})
    web.answers = [page({"error": "invalid_grant", "error_description": "used before"}, 400)]
    who = OAuthIdentity("us", "a-secret")
    with pytest.raises(GatewayRefused) as refused:
        await TokenEndpoint(web, a_server(), who, None).ask({"grant_type": "client_credentials"})
    assert (refused.value.code, len(web.asked)) == ("invalid_grant", 1)
    assert "a-secret" not in f"{refused.value} {who!r}"


async def test_odd_tokens_are_none() -> None:
    """An answer without a token, or with one of a kind that we cannot show, is refused."""
    for odd in ({}, {"access_token": 7, "token_type": "Bearer"}, {"access_token": "x", "token_type": "mac"}):
        web = ScriptedWeb({})
        web.answers = [page(odd)]
        with pytest.raises(AgentFault):
            await TokenEndpoint(web, a_server(), OAuthIdentity("us"), None).ask({})


def test_clock_of_the_server_is_taken_where_ours_is_refused() -> None:
    """A proof that was refused is signed again by the server's clock, once; without its time, never."""
    prover = DpopProver()
    url = "https://tools.example/mcp"
    told = {"WWW-Authenticate": 'DPoP error="invalid_dpop_proof"', "Date": formatdate(4_000_000_000)}
    assert prover.again(url, 401, told)
    assert not prover.again(url, 401, told)
    assert not DpopProver().again(url, 401, {"WWW-Authenticate": 'DPoP error="invalid_dpop_proof"'})
    assert not DpopProver().again(url, 401, {"WWW-Authenticate": 'DPoP error="invalid_token"'})


async def test_token_is_gotten_once_for_many() -> None:
    """Requests at once share one token request."""
    web = ScriptedWeb(
        {
            RESOURCE_METADATA: {"resource": RESOURCE, "authorization_servers": [ISSUER]},
            f"{ISSUER}/.well-known/oauth-authorization-server": a_server().facts,
        }
    )
    web.answers = [page(TOKEN)]
    client = OAuthClient(web, ClientCredentials(OAuthIdentity("us", "secret")))
    found = await asyncio.gather(*(client.token(RESOURCE) for _ in range(10)))
    assert {one.text for one in found} == {"abc"}
    (_, form, headers) = web.asked[0]
    assert form["resource"] == RESOURCE
    assert headers["Authorization"].startswith("Basic ")
