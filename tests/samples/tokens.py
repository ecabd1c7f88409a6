# SPDX-License-Identifier: Apache-2.0
"""Tokens for tests of what comes after them: as the token endpoint issues them to an agent with a key."""

from __future__ import annotations

from remit.core.identity.principals import Agent
from remit.core.identity.workload import Assurance, AttestationMethod, Attested, Confirmation
from remit.services.assembly.services import Services
from remit.services.oauth.access_tokens import IssuedAccessToken, TokenQuestion
from remit.services.oauth.client_authentication import TokenClient

#: The key that tokens are bound to where a test is of what comes after step 1, with what proves it.
HELD = Confirmation(jkt="a-key-that-tests-hold")


def a_client(agent: Agent) -> TokenClient:
    """Return an agent as a client that has signed an assertion with its key."""
    attested = Attested(
        workload="jkt:a-key", method=AttestationMethod.PRIVATE_KEY, assurance=Assurance.KEY_BOUND
    )
    return TokenClient(agent=agent, client_id=agent.name, attested=attested)


async def task_token_given(
    services: Services, task: str, *, audience: tuple[str, ...] = (), confirmation: Confirmation | None = None
) -> IssuedAccessToken:
    """Issue a token for a task to the agent whose task it is; a task that has ended raises `Fenced`."""
    live = await services.tasks.live.load(task)
    services.tasks.live.check(live, services.clock.now())
    asking = TokenQuestion(how="test", audience=audience, confirmation=confirmation or Confirmation())
    return await services.oauth.tokens.for_task(a_client(live.agent), live, asking)


async def task_token(
    services: Services, task: str, *, audience: tuple[str, ...] = (), confirmation: Confirmation | None = None
) -> str:
    """Return the text of such a token."""
    return (await task_token_given(services, task, audience=audience, confirmation=confirmation)).text


async def agent_token(services: Services, agent: Agent) -> str:
    """Return a token with which an agent opens tasks, good at every endpoint."""
    resources = services.oauth.tokens.resources
    audience = (resources.api, resources.joined, *(resources.of(name) for name in services.upstreams))
    return (
        await services.oauth.tokens.for_agent(a_client(agent), TokenQuestion(how="test", audience=audience))
    ).text
