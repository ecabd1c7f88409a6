# SPDX-License-Identifier: Apache-2.0
"""What an `httpx2` or an `httpx` client sends for a task, and when it sends a request once more."""

import base64
import json
from typing import Any

import httpx
import httpx2
import pytest

from remit_sdk.auth import TaskAuth
from remit_sdk.dpop import DpopProver
from remit_sdk.errors import AgentFault
from remit_sdk.httpx_auth import HttpxTaskAuth

Json = Any

URL = "https://remit.example/mcp/notes"
NONCE = 'DPoP error="use_dpop_nonce"'

pytestmark = pytest.mark.parametrize(
    "library", [(httpx2, TaskAuth), (httpx, HttpxTaskAuth)], ids=["httpx2", "httpx"]
)


class Purse:
    """A source of tokens that remembers what it was asked."""

    id = "tsk_1"
    addresses = ("https://REMIT.example:443", "https://other.example/remit")

    def __init__(self) -> None:
        """Begin with the first token."""
        self.number = 1
        self.asked: list[tuple[str, str]] = []

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return the token that holds now."""
        self.asked.append((upstream, not_this))
        if not_this == f"t{self.number}":
            self.number += 1
        return f"t{self.number}"


def proof_of(request: Any) -> Json:
    """Return the claims of a request's proof."""
    part = request.headers["DPoP"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def told(
    library: Any, answers: list[tuple[int, dict[str, str]]], purse: Purse
) -> tuple[Any, list[Json]]:
    """Post once through a client whose server answers so; gives the answer, and the proofs that came."""
    http, auth = library
    proofs: list[Json] = []

    def serve(request: Any) -> Any:
        proofs.append(proof_of(request) | {"authorization": request.headers["Authorization"]})
        assert request.headers["Remit-Task"] == "tsk_1"
        status, headers = answers.pop(0)
        return http.Response(status, headers=headers)

    one = auth(purse, DpopProver(), upstream="notes")
    async with http.AsyncClient(transport=http.MockTransport(serve), auth=one) as client:
        return await client.post(f"{URL}?a=b", content=b"body"), proofs


@pytest.mark.parametrize(
    "url", ["http://remit.example/mcp", "https://remit.example:8443/mcp", "https://evil.example"]
)
async def test_no_other_origin_gets_a_token(library: Any, url: str) -> None:
    """A program may use the client for another server, or get its address from elsewhere."""
    http, auth = library

    def serve(request: Any) -> Any:
        raise AssertionError(request.url)

    purse = Purse()
    one = auth(purse, DpopProver(), upstream="notes")
    async with http.AsyncClient(transport=http.MockTransport(serve), auth=one) as client:
        with pytest.raises(AgentFault, match="gets no token"):
            await client.post(url, content=b"body")
    assert purse.asked == []


async def test_each_request_carries_a_token_and_its_proof(library: Any) -> None:
    """The proof is for the method, for the address without its query, and for the token beside it."""
    purse = Purse()
    answer, (proof,) = await told(library, [(200, {})], purse)
    assert answer.status_code == 200
    assert (proof["htm"], proof["htu"], proof["authorization"]) == ("POST", URL, "DPoP t1")
    assert proof["ath"]
    assert purse.asked == [("notes", "")]


async def test_nonce_is_taken_up(library: Any) -> None:
    """A challenge is answered with the nonce that it brings and another proof, under the same token."""
    challenge = (401, {"WWW-Authenticate": NONCE, "DPoP-Nonce": "n1"})
    answer, (first, second) = await told(library, [challenge, (200, {})], Purse())
    assert answer.status_code == 200
    assert "nonce" not in first
    assert second["nonce"] == "n1"
    assert first["jti"] != second["jti"]
    assert first["authorization"] == second["authorization"]


async def test_refused_token_is_replaced_once(library: Any) -> None:
    """A token that is taken no longer is replaced once; a second refusal is the answer."""
    purse = Purse()
    refused = [(401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})] * 3
    answer, proofs = await told(library, refused, purse)
    assert answer.status_code == 401
    assert [one["authorization"] for one in proofs] == ["DPoP t1", "DPoP t2"]
    assert purse.asked == [("notes", ""), ("notes", "t1")]


async def test_refusal_of_a_call_is_no_reason_to_ask_again(library: Any) -> None:
    """What the gateway decided stands: 403 goes to the caller."""
    answer, proofs = await told(library, [(403, {})], Purse())
    assert (answer.status_code, len(proofs)) == (403, 1)
