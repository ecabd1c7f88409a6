# SPDX-License-Identifier: Apache-2.0
"""An agent at a gateway, and its task there: tokens by assertion, a renewed lease, and completion.

async with AgentSession("http://127.0.0.1:8700", "note-bot", AgentKey.load(path)) as agent:
    task = await agent.open("tidy-note", params={"note": "shopping"}, lease_s=15)
    token = await task.token()
    ...
    await task.complete("done")
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from remit_sdk.connector import Look
from remit_sdk.dpop import DpopProver
from remit_sdk.errors import GatewayRefused, GatewayUnreachable
from remit_sdk.key import AgentKey
from remit_sdk.oauth.discovery import IssuerMetadata, find_server
from remit_sdk.oauth.endpoint import OAuthIdentity, Token, TokenEndpoint
from remit_sdk.oauth.grants import JWT_BEARER, TOKEN_EXCHANGE
from remit_sdk.oauth.web import OAuthHttp
from remit_sdk.wire import Gateway, segment
from remit_sdk.workload import TokenFile

Json = Any

#: RFC 8693 section 3.
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"

#: Codes by which the gateway reports that a task has ended.
ENDED: Final = frozenset({"task-ended", "task-expired", "task-lease", "fenced", "no-task"})
#: Codes of an end by lapse of time: the lease was not renewed, for instance while the machine slept.
RAN_OUT: Final = frozenset({"task-expired", "task-lease"})
COMPLETE_TRIES: Final = 3
#: Seconds of one request that waits for an answer.
MAX_POLL_S: Final = 20


class _TokenSource:
    """Keeps one token for each resource and gets the next one; concurrent callers share one request."""

    def __init__(self) -> None:
        self._held: dict[str, Token] = {}
        self._lock = asyncio.Lock()

    async def _token(self, resource: str, not_this: str) -> str:
        async with self._lock:
            held = self._held.get(resource)
            if held is None or not held.usable or held.text == not_this:
                held = self._held[resource] = await self._ask(resource)
            return held.text

    async def _ask(self, resource: str) -> Token:
        raise NotImplementedError


class AgentSession(_TokenSource):
    """An agent with its key at one gateway. Use it in one event loop."""

    def __init__(
        self,
        base_url: str,
        agent: str,
        key: AgentKey | TokenFile,
        *,
        ca_file: str = "",
        issuer: str = "",
        look: Look | None = None,
    ) -> None:
        """Keep the gateway's URL, and the key or the platform's token by which the agent authenticates.

        `issuer` is the gateway's own URL, if it differs from the given one. `look` checks each connection
        before it is used. All tokens are bound to a key of this session, which never leaves it (`prover`).
        """
        super().__init__()
        self.gateway = Gateway(base_url, ca_file=ca_file, public_url=issuer, look=look)
        self.agent = agent
        self.ca_file = ca_file
        self.prover = DpopProver()
        self._platform = key if isinstance(key, TokenFile) else None
        own = key if isinstance(key, AgentKey) else None
        self._who = OAuthIdentity(agent, key=own, method="" if own else "none")
        self._web = OAuthHttp(ca_file=ca_file, look=look)
        self._server: IssuerMetadata | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; open tasks stay open until they are completed or expire."""
        await self.gateway.close()
        await self._web.close()

    async def _ask(self, resource: str) -> Token:
        return await self.grant(resource=resource)

    async def token(self, *, not_this: str = "") -> str:
        """Return the agent's own token, for the management interface; never `not_this`, which was refused."""
        return await self._token(f"{self.gateway.public_url}/api/v1", not_this)

    async def grant(self, **more: str) -> Token:
        """Request a token for the agent itself or for one of its tasks.

        The agent authenticates by its key (RFC 6749 section 4.4) or by its platform's token (RFC 7523 section
        2.1).
        """
        if self._server is None:
            self._server = await find_server(self._web, self.gateway.public_url)
        endpoint = TokenEndpoint(self._web, self._server, self._who, self.prover)
        if self._platform is not None:
            return await endpoint.ask({"grant_type": JWT_BEARER, "assertion": self._platform.read(), **more})
        return await endpoint.ask({"grant_type": "client_credentials", **more})

    async def ask(self, method: str, path: str, *, body: Json = None, task: str = "") -> Json:
        """Send a request to a management endpoint as this agent; an expired token is replaced once.

        `task` is the task that the request concerns, if any.
        """
        token = await self.token()
        try:
            return await self.gateway.ask(
                method, path, bearer=token, body=body, prover=self.prover, task=task
            )
        except GatewayRefused as refused:
            if refused.status != 401 or refused.code in ENDED:
                raise
        token = await self.token(not_this=token)
        return await self.gateway.ask(method, path, bearer=token, body=body, prover=self.prover, task=task)

    async def open(
        self,
        task_type: str,
        *,
        goal: str = "",
        params: Mapping[str, Json] | None = None,
        on_behalf_of: str = "",
        plan: Sequence[str | Mapping[str, Json]] | None = None,
        lease_s: int = 0,
        person_session: str = "",
        person_prover: DpopProver | None = None,
        manifest_digest: str = "",
    ) -> TaskSession:
        """Open a task of this agent, and return it.

        With `person_session` (from `remit login`; with `person_prover` if the session is bound to a key) the
        person states the intent. Otherwise the agent does, if the task type permits that. With `lease_s`
        above 0 the task ends when `keep` has not renewed it for that long. `plan` lists what the work will
        need (see `extend_plan`). `manifest_digest` (`remit_sdk.manifest`) identifies the agent's current
        manifest.
        """
        asked: dict[str, Json] = {
            "agent": self.agent,
            "task_type": task_type,
            "goal": goal,
            "params": dict(params or {}),
            "on_behalf_of": on_behalf_of,
            "lease_s": lease_s,
        }
        if plan is not None:
            asked["plan"] = [one if isinstance(one, str) else dict(one) for one in plan]
        if manifest_digest:
            asked["manifest_digest"] = manifest_digest
        if person_session:
            task = await self.gateway.ask(
                "POST", "/api/v1/tasks", bearer=person_session, body=asked, prover=person_prover
            )
        else:
            task = await self.ask("POST", "/api/v1/tasks", body=asked)
        return TaskSession(self, task)

    def task(self, facts: Json) -> TaskSession:
        """Return a task of this agent that was opened elsewhere, from the gateway's description of it."""
        return TaskSession(self, facts)


class TaskSession(_TokenSource):
    """One open task: its token, its lease, its completion."""

    def __init__(self, agent: AgentSession, facts: Json) -> None:
        """Keep the gateway's description of the task."""
        super().__init__()
        if not isinstance(facts, dict) or not isinstance(facts.get("id"), str):
            raise GatewayUnreachable("the gateway returned no task", remediation="check the address")
        self.agent = agent
        self.facts: dict[str, Json] = facts
        self.id: str = facts["id"]
        self.lease_s = int(facts.get("lease_s") or 0)
        self._path = f"/api/v1/tasks/{segment(self.id)}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The gateway's URLs, to which the tokens may be sent."""
        return self.agent.gateway.base_url, self.agent.gateway.public_url

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return a token of the task for one upstream at an endpoint (`mcp`, `http`), or for all upstreams
        together.

        Never return `not_this`, which was refused. Raise `GatewayRefused` with a code of `ENDED` when the
        task has ended.
        """
        return await self._token(self.agent.gateway.resource(upstream, endpoint), not_this)

    async def _ask(self, resource: str) -> Token:
        return await self.agent.grant(mission_id=self.id, resource=resource)

    async def ask(self, method: str, path: str, *, body: Json = None) -> Json:
        """Send a request to a management endpoint with the task's own token; a refused token is replaced
        once.
        """
        gateway, prover = self.agent.gateway, self.agent.prover
        token = await self.token(endpoint="api/v1")
        try:
            return await gateway.ask(method, path, bearer=token, body=body, prover=prover, task=self.id)
        except GatewayRefused as refused:
            if refused.status != 401 or refused.code in ENDED:
                raise
        token = await self.token(endpoint="api/v1", not_this=token)
        return await gateway.ask(method, path, bearer=token, body=body, prover=prover, task=self.id)

    async def hand_down(
        self, to: AgentSession, *, allow: Sequence[Mapping[str, Json]] | None = None, task_type: str = ""
    ) -> TaskSession:
        """Return a child task of another agent, which narrows this one (RFC 8693).

        `allow` are entries of `authorization_details`; without them the child may do what this task may. The
        child ends with this task at the latest.
        """
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": await self.token(endpoint="api/v1"),
            "subject_token_type": ACCESS_TOKEN,
            "actor_token": await to.token(),
            "actor_token_type": ACCESS_TOKEN,
        }
        if allow is not None:
            form["authorization_details"] = json.dumps([dict(one) for one in allow])
        if task_type:
            form["task_type"] = task_type
        child = (await self.agent.grant(**form)).task
        return to.task(await to.ask("GET", f"/api/v1/tasks/{segment(child)}", task=child))

    async def renew(self) -> None:
        """Renew the lease; raise `GatewayRefused` with a code of `ENDED` when the task has ended."""
        await self.agent.ask("POST", f"{self._path}/renew", task=self.id)

    async def keep(self) -> GatewayRefused:
        """Renew the lease at a third of its length until the task has ended; return the refusal that reports
        the end.

        An unreachable gateway is asked again: the task then ends by its lease, at the gateway.
        """
        while True:
            await asyncio.sleep(max(self.lease_s / 3, 0.2) if self.lease_s else 3600)
            try:
                await self.renew()
            except GatewayUnreachable:
                continue
            except GatewayRefused as refused:
                if refused.code in ENDED or refused.status in (403, 404, 409):
                    return refused

    async def extend_plan(self, *add: str | Mapping[str, Json]) -> Json:
        """Request an extension of the plan: by tools (`upstream/tool`), or by `{"tool": ..., "arguments":
        {name: constraint}}`.

        Until the task has read untrusted data, the agent adds reads by itself, and other tools where the
        person's words ask for them. In all other cases a human is asked.
        Return `outcome` (`permit`, `deny`, or `defer` while a human is asked; then `approval` is the ID of
        the question), `reasons`, and the `task`. Repeat the same request to get the answer.
        """
        told = await self.agent.ask("POST", f"{self._path}/plan", body={"add": list(add)}, task=self.id)
        if isinstance(told, dict) and isinstance(told.get("task"), dict):
            self.facts = told["task"]
        return told

    async def answer_to(self, approval: str, *, wait_s: float = 0) -> Json:
        """Return what people have answered to a question of this task, or how it stands after `wait_s`.

        An answer is told at once. `state` is `pending` while none has been given; otherwise repeat the call,
        or make the narrower one of `instead`.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while True:
            left_s = min(MAX_POLL_S, int(until_s - loop.time() + 0.999))
            path = f"{self._path}/approvals/{segment(approval)}"
            path += f"?wait_s={left_s}" if left_s > 0 else ""
            told = await self.agent.ask("GET", path, task=self.id)
            if left_s <= 0 or told["state"] != "pending":
                return told

    async def complete(self, reason: str = "completed") -> Json:
        """End the task and return its closure.

        The request is repeated a few times if no answer comes, because ending twice gives the same closure.
        Then raise `GatewayUnreachable`; the lease ends the task.
        """
        for attempt in range(COMPLETE_TRIES):
            try:
                return await self.agent.ask(
                    "POST", f"{self._path}/complete", body={"reason": reason}, task=self.id
                )
            except GatewayUnreachable:
                if attempt + 1 == COMPLETE_TRIES:
                    raise
                await asyncio.sleep(0.3 * (attempt + 1))
        raise AssertionError("the loop returns or raises")
