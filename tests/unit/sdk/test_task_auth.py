# SPDX-License-Identifier: Apache-2.0
"""`TaskAuth`: what an `httpx2` client sends for a task, and when it sends a request once more."""

import base64
import json
from typing import Any

import httpx2

from remit.sdk.auth import TaskAuth
from remit.sdk.dpop import DpopProver

Json = Any

URL = "https://remit.example/mcp/notes"
NONCE = 'DPoP error="use_dpop_nonce"'


class Purse:
    """A source of tokens that remembers what it was asked."""

    id = "tsk_1"

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


def proof_of(request: httpx2.Request) -> Json:
    """Return the claims of a request's proof."""
    part = request.headers["DPoP"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def told(answers: list[httpx2.Response], purse: Purse) -> tuple[httpx2.Response, list[Json]]:
    """Post once through a client whose server answers so; gives the answer, and the proofs that came."""
    proofs: list[Json] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        proofs.append(proof_of(request) | {"authorization": request.headers["Authorization"]})
        assert request.headers["Remit-Task"] == "tsk_1"
        return answers.pop(0)

    auth = TaskAuth(purse, DpopProver(), upstream="notes")
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(serve), auth=auth) as http:
        return await http.post(f"{URL}?a=b", content=b"body"), proofs


async def test_each_request_carries_a_token_and_its_proof() -> None:
    """The proof is for the method, for the address without its query, and for the token beside it."""
    purse = Purse()
    answer, (proof,) = await told([httpx2.Response(200)], purse)
    assert answer.status_code == 200
    assert (proof["htm"], proof["htu"], proof["authorization"]) == ("POST", URL, "DPoP t1")
    assert proof["ath"]
    assert purse.asked == [("notes", "")]


async def test_nonce_is_taken_up() -> None:
    """A challenge is answered with the nonce that it brings and another proof, under the same token."""
    challenge = httpx2.Response(401, headers={"WWW-Authenticate": NONCE, "DPoP-Nonce": "n1"})
    answer, (first, second) = await told([challenge, httpx2.Response(200)], Purse())
    assert answer.status_code == 200
    assert "nonce" not in first
    assert second["nonce"] == "n1"
    assert first["jti"] != second["jti"]
    assert first["authorization"] == second["authorization"]


async def test_refused_token_is_replaced_once() -> None:
    """A token that is taken no longer is replaced once; a second refusal is the answer."""
    purse = Purse()
    refused = [httpx2.Response(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})] * 3
    answer, proofs = await told(refused, purse)
    assert answer.status_code == 401
    assert [one["authorization"] for one in proofs] == ["DPoP t1", "DPoP t2"]
    assert purse.asked == [("notes", ""), ("notes", "t1")]


async def test_refusal_of_a_call_is_no_reason_to_ask_again() -> None:
    """What the gateway decided stands: 403 goes to the caller."""
    answer, proofs = await told([httpx2.Response(403)], Purse())
    assert (answer.status_code, len(proofs)) == (403, 1)
