# SPDX-License-Identifier: Apache-2.0
"""A REST API for payments, with its own authorization server: pay, look at a payment, refund it.

A caller must show a bearer token of `/oauth/token` (client credentials), with the scope of the request:
`payments.read` or `payments.write`. Each request introspects its token, so that one that was revoked is
refused from then on. Payments are lines of `payments.jsonl` in the folder, written before the answer: a test
can count what was really paid.

    PAYMENTS_SECRET=... python payments.py FOLDER --port 8102     (0: any free port)
"""

import argparse
import base64
import hmac
import json
import os
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = Any

CLIENT = "remit"
SCOPES = ("payments.read", "payments.write")
TOKEN_LIFE_S = 600
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{6,30}")


class Ledger:
    """The payments of one folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "payments.jsonl"

    def all(self) -> list[Json]:
        """Return every payment and refund, oldest first."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]

    def add(self, entry: Json) -> None:
        """Write one down."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def payment(self, number: str) -> Json:
        """Return one payment; raises 404."""
        found = [one for one in self.all() if one["kind"] == "payment" and one["id"] == number]
        if not found:
            raise HTTPException(404, "there is no such payment")
        return found[0]


class Tokens:
    """The authorization server: what was given, and until when it counts."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._given: dict[str, tuple[float, tuple[str, ...]]] = {}

    def check_client(self, request: Request) -> None:
        """RFC 6749 section 2.3.1: the client by Basic."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, secret = base64.b64decode(shown, validate=True).decode().partition(":")
        except ValueError:
            name = secret = ""
        good = hmac.compare_digest(unquote(secret).encode(), self._secret.encode())
        if kind.lower() != "basic" or unquote(name) != CLIENT or not good:
            raise HTTPException(401, "invalid_client")

    def give(self, scope: str) -> Json:
        """Return a token for the scopes that are asked for and known."""
        wanted = tuple(one for one in scope.split() if one in SCOPES)
        token = secrets.token_urlsafe(32)
        self._given[token] = (time.monotonic() + TOKEN_LIFE_S, wanted)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE_S,
            "scope": " ".join(wanted),
        }

    def revoke(self, token: str) -> None:
        """Take one back; one that is not known is none (RFC 7009 section 2.2)."""
        self._given.pop(token, None)

    def introspect(self, token: str) -> Json:
        """Return whether one counts, and for what (RFC 7662)."""
        until, scopes = self._given.get(token, (0.0, ()))
        if until <= time.monotonic():
            return {"active": False}
        return {"active": True, "scope": " ".join(scopes), "client_id": CLIENT}


class PaymentsApi:
    """What the API and its authorization server do."""

    def __init__(self, ledger: Ledger, tokens: Tokens) -> None:
        self._ledger = ledger
        self._tokens = tokens

    def check(self, request: Request, scope: str) -> None:
        """Look at who calls; raises 401, and 403."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        told: Json = self._tokens.introspect(token) if kind.lower() == "bearer" else {"active": False}
        if not told["active"]:
            raise HTTPException(401, "the token is missing, wrong or revoked")
        if scope and scope not in told["scope"].split():
            raise HTTPException(403, f"the token lacks the scope {scope}")

    async def form(self, request: Request) -> dict[str, str]:
        """Return a form of the client."""
        self._tokens.check_client(request)
        return dict(parse_qsl((await request.body()).decode()))

    async def give(self, request: Request) -> Response:
        """Return a token."""
        return JSONResponse(self._tokens.give((await self.form(request)).get("scope", "")))

    async def revoke(self, request: Request) -> Response:
        """Take a token back."""
        self._tokens.revoke((await self.form(request)).get("token", ""))
        return Response()

    async def introspect(self, request: Request) -> Response:
        """Return whether a token counts."""
        return JSONResponse(self._tokens.introspect((await self.form(request)).get("token", "")))

    async def whoami(self, request: Request) -> Response:
        """Say whose the token is."""
        self.check(request, "")
        return JSONResponse({"client": CLIENT})

    async def pay(self, request: Request) -> Response:
        """Pay."""
        self.check(request, "payments.write")
        wanted = await request.json()
        payee, cents = wanted.get("payee", ""), wanted.get("amount_cents")
        if not isinstance(payee, str) or not IBAN.fullmatch(payee) or type(cents) is not int or cents <= 0:
            raise HTTPException(400, "a payment needs an IBAN as `payee`, and `amount_cents` above 0")
        number = f"p-{len(self._ledger.all()) + 1}"
        payment = {
            "id": number,
            "kind": "payment",
            "payee": payee,
            "amount_cents": cents,
            "reference": str(wanted.get("reference", ""))[:140],
        }
        self._ledger.add(payment)
        return JSONResponse(payment, 201, {"Location": f"/v1/payments/{number}"})

    async def look(self, request: Request) -> Response:
        """Return one payment."""
        self.check(request, "payments.read")
        return JSONResponse(self._ledger.payment(request.path_params["id"]))

    async def listed(self, request: Request) -> Response:
        """Return the newest payments."""
        self.check(request, "payments.read")
        return JSONResponse(
            {"payments": [one for one in self._ledger.all() if one["kind"] == "payment"][-50:]}
        )

    async def refund(self, request: Request) -> Response:
        """Take a payment back."""
        self.check(request, "payments.write")
        payment = self._ledger.payment(request.path_params["id"])
        entry = {"id": payment["id"], "kind": "refund", "amount_cents": payment["amount_cents"]}
        self._ledger.add(entry)
        return JSONResponse(entry, 201)


async def told(request: Request, error: Exception) -> Response:
    """Return an error as the API writes it."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def application(folder: Path, secret: str) -> Starlette:
    """Return the API and its authorization server as an ASGI application."""
    api = PaymentsApi(Ledger(folder), Tokens(secret))
    routes = [
        Route("/oauth/token", api.give, methods=["POST"]),
        Route("/oauth/revoke", api.revoke, methods=["POST"]),
        Route("/oauth/introspect", api.introspect, methods=["POST"]),
        Route("/v1/whoami", api.whoami, methods=["GET"]),
        Route("/v1/payments", api.listed, methods=["GET"]),
        Route("/v1/payments", api.pay, methods=["POST"]),
        Route("/v1/payments/{id}", api.look, methods=["GET"]),
        Route("/v1/payments/{id}/refund", api.refund, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: told})


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8102)
    given = parser.parse_args()
    secret = os.environ.get("PAYMENTS_SECRET", "")
    if len(secret) < 12:
        sys.exit("set PAYMENTS_SECRET to a secret of at least 12 characters")
    uvicorn.run(application(given.folder, secret), host="127.0.0.1", port=given.port, log_level="info")


if __name__ == "__main__":
    main()
