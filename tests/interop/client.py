# SPDX-License-Identifier: Apache-2.0
"""The SDK's OAuth client as an MCP client, for others' scenarios: `python -m tests.interop.client URL`.

The suite names the scenario and what it gives the client in the environment. All that this program adds is
what belongs to no library: it lists the tools, calls each, and "consents" where a person would.
"""

import asyncio
import json
import os
import sys
from typing import Any

from joserfc.jwk import ECKey

from remit.sdk.dpop import Prover
from remit.sdk.faults import AgentFault, GatewayRefused
from remit.sdk.key import AgentKey
from remit.sdk.mcp_headers import request_headers
from remit.sdk.oauth import (
    AuthorizationCode,
    ClientCredentials,
    Credentials,
    EnterpriseGrant,
    OAuthClient,
    WorkloadAssertion,
)
from remit.sdk.oauth.grants import Grant
from remit.sdk.oauth.web import Web
from remit.sdk.sse import events

Json = Any

MODERN = "2026-07-28"
REDIRECT = "http://localhost:3000/callback"
#: The document that the suite's authorization servers know.
DOCUMENT = "https://conformance-test.local/client-metadata.json"


class Given:
    """What the suite gave this run."""

    def __init__(self) -> None:
        self.scenario = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
        self.version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", MODERN)
        self.facts: dict[str, Json] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "") or "{}")


def grant_for(given: Given, web: Web) -> Grant:
    """Give the grant that a client with what was given would use."""
    facts = given.facts

    async def visit(url: str) -> str:
        answer = await web.open("GET", url, headers={})
        answer.release()
        return answer.headers.get("Location", "")

    async def fact(name: str) -> str:
        return str(facts[name])

    if "idp_token_endpoint" in facts:
        return EnterpriseGrant(
            Credentials(facts["client_id"], facts["client_secret"]),
            facts["idp_token_endpoint"],
            Credentials(facts["idp_client_id"]),
            lambda: fact("idp_id_token"),
        )
    if "valid_jwt" in facts:
        return WorkloadAssertion(facts["client_id"], lambda: fact("valid_jwt"))
    if "private_key_pem" in facts:
        key = AgentKey(ECKey.import_key(facts["private_key_pem"]))
        return ClientCredentials(Credentials(facts["client_id"], key=key))
    if given.scenario.startswith("auth/client-credentials"):
        return ClientCredentials(Credentials(facts["client_id"], facts["client_secret"]))
    registered = {}
    if "client_secret" in facts and "issuer" in facts:
        registered[facts["issuer"]] = Credentials(facts["client_id"], facts["client_secret"])
    return AuthorizationCode(REDIRECT, visit, registered, document=DOCUMENT, offline=True)


class McpClient:
    """As much of an MCP client as a token needs to be used."""

    def __init__(self, oauth: OAuthClient, url: str, version: str) -> None:
        self._oauth = oauth
        self._url = url
        self._version = version
        self._session = ""
        self._id = 0

    @property
    def _stateless(self) -> bool:
        return self._version >= MODERN

    async def begin(self) -> None:
        """Greet the server, in the era that has greetings."""
        if self._stateless:
            return
        hello = {
            "protocolVersion": self._version,
            "capabilities": {},
            "clientInfo": {"name": "remit", "version": "1"},
        }
        await self.ask("initialize", hello)
        await self._post("notifications/initialized", {}, None)

    async def ask(self, method: str, params: dict[str, Json]) -> Json:
        """Make a request, and give its result; an error of the server is raised as it is told."""
        self._id += 1
        answer = await self._post(method, params, self._id)
        told = json.loads(answer) if answer else {}
        if "error" in told:
            raise GatewayRefused(json.dumps(told["error"])[:300], status=200)
        return told.get("result")

    async def _post(self, method: str, params: dict[str, Json], number: int | None) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self._stateless:
            params = {
                **params,
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": self._version,
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "remit", "version": "1"},
                },
            }
            headers |= request_headers(self._version, method, params, {})
        elif self._id > 1 or number is None:
            headers["MCP-Protocol-Version"] = self._version
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        message: dict[str, Json] = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        answer = await self._oauth.send("POST", self._url, headers=headers, body=json.dumps(message).encode())
        async with answer:
            self._session = answer.headers.get("Mcp-Session-Id", self._session)
            if answer.status >= 300:
                raise GatewayRefused(f"the server answered {answer.status}", status=answer.status)
            if answer.content_type != "text/event-stream":
                return await answer.read()
            async for event in events(answer.content.iter_any()):
                if event.data and json.loads(event.data).get("id") == number:
                    return event.data
        return b""


async def main(url: str) -> int:
    """List the tools of a server and call each of them."""
    given = Given()
    async with Web() as web:
        oauth = OAuthClient(web, grant_for(given, web), prover=Prover())
        client = McpClient(oauth, url, given.version)
        try:
            await client.begin()
            for tool in (await client.ask("tools/list", {}))["tools"]:
                await client.ask("tools/call", {"name": tool["name"], "arguments": {}})
        except AgentFault:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[-1])))
