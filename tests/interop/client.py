# SPDX-License-Identifier: Apache-2.0
"""The client that others' client scenarios start: an agent behind `remit connect`, told by a scenario.

    MCP_CONFORMANCE_SCENARIO=... MCP_CONFORMANCE_CONTEXT=... python -m tests.interop.client URL

The scenario says by environment variables what it is about and which credentials there are; what the client
does with them is the same everywhere. A person who consents is played by following the one redirect.
"""

import asyncio
import json
import os
import sys
from typing import Any

from joserfc.jwk import ECKey
from mcp import Client, MCPError
from mcp_types import CallToolResult, ElicitResult

from remit_sdk.dpop import DpopProver
from remit_sdk.errors import AgentFault
from remit_sdk.key import AgentKey
from remit_sdk.oauth import (
    AuthorizationCode,
    ClientCredentials,
    EnterpriseGrant,
    OAuthClient,
    OAuthIdentity,
    WorkloadAssertion,
)
from remit_sdk.oauth.web import OAuthHttp
from tests.interop.piped import piped

Json = Any

REDIRECT = "http://127.0.0.1:8765/callback"
#: The address that the suite's authorization servers know as a client's metadata document.
DOCUMENT = "https://conformance-test.local/client-metadata.json"
DEFAULTS = {"name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": True}


async def visit(web: OAuthHttp, url: str) -> str:
    """Consent at once: give the address that the authorization server leads back to."""
    answer = await web.open("GET", url, headers={})
    async with answer:
        return answer.headers.get("Location", "")


def way_to_tokens(web: OAuthHttp, facts: Json) -> Json:
    """Return the grant that goes with what the scenario gave the client."""
    name = facts.get("client_id", "")
    if "private_key_pem" in facts:
        key = ECKey.import_key(facts["private_key_pem"])
        return ClientCredentials(OAuthIdentity(name, key=AgentKey(key)))
    if "idp_id_token" in facts:

        async def id_token() -> str:
            return str(facts["idp_id_token"])

        return EnterpriseGrant(
            OAuthIdentity(name, secret=facts["client_secret"]),
            facts["idp_token_endpoint"],
            OAuthIdentity(facts["idp_client_id"], method="none"),
            id_token,
        )
    if "valid_jwt" in facts:

        async def assertion() -> str:
            return str(facts["valid_jwt"])

        return WorkloadAssertion(name, assertion)
    if facts.get("name") == "auth/client-credentials-basic":
        return ClientCredentials(OAuthIdentity(name, secret=facts["client_secret"]))
    registered: dict[str, OAuthIdentity] = {}
    if "issuer" in facts:
        registered[facts["issuer"]] = OAuthIdentity(name, secret=facts.get("client_secret", ""))
    return AuthorizationCode(REDIRECT, lambda url: visit(web, url), registered, DOCUMENT)


async def fill_in(context: Json, params: Json) -> ElicitResult:
    """Answer a form: with its defaults where it has some, with anything of the right kind elsewhere."""
    fields = getattr(params, "requested_schema", {}).get("properties", {})
    made: Json = {"string": "word", "integer": 1, "number": 1.5, "boolean": True, "array": []}
    content = {key: one["default"] if "default" in one else made[one["type"]] for key, one in fields.items()}
    return ElicitResult(action="accept", content=content)


def arguments_for(tool: Json, first: Json) -> Json:
    """Return arguments that a tool's schema asks for; for an object the first tool's schema, as it came."""
    made: Json = {"string": "word", "integer": 1, "number": 1, "boolean": True, "array": []}
    made["object"] = first.input_schema
    schema = tool.input_schema
    needed = schema.get("required") or list(schema.get("properties", {}))
    properties = schema.get("properties", {})
    return {name: made.get(properties.get(name, {}).get("type"), "word") for name in needed}


async def work(mcp: Client, facts: Json) -> None:
    """Look at all that there is, and use each of it once."""
    able = mcp.server_capabilities
    tools = (await mcp.list_tools()).tools
    calls = facts.get("toolCalls") or [
        {"name": one.name, "arguments": arguments_for(one, tools[0])} for one in tools
    ]
    for call in calls:
        result = await mcp.call_tool(call["name"], call["arguments"])
        assert isinstance(result, CallToolResult)
    if able.resources is not None:
        for resource in (await mcp.list_resources()).resources:
            await mcp.read_resource(str(resource.uri))
    if able.prompts is not None:
        for prompt in (await mcp.list_prompts()).prompts:
            await mcp.get_prompt(prompt.name, {one.name: "word" for one in prompt.arguments or ()})


async def main(url: str) -> int:
    """Connect and work; 1 where a server refuses or cannot be trusted."""
    facts = {"name": os.environ.get("MCP_CONFORMANCE_SCENARIO", "")}
    facts |= json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
    mode = "auto" if version >= "2026-07-28" else "legacy"
    ended = 0
    async with OAuthHttp() as web:
        oauth = OAuthClient(web, way_to_tokens(web, facts), prover=DpopProver())
        try:
            async with Client(
                piped(oauth, url), mode=mode, read_timeout_seconds=120, elicitation_callback=fill_in
            ) as mcp:
                await work(mcp, facts)
        except* (MCPError, AgentFault) as faults:
            for fault in faults.exceptions:
                sys.stderr.write(f"{type(fault).__name__}: {fault}\n")
            ended = 1
    return ended


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
