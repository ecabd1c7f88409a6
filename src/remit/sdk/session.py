# SPDX-License-Identifier: Apache-2.0
"""An agent at a gateway, and its task there: tokens by assertion, a lease kept alive, an end.

async with AgentSession("http://127.0.0.1:8700", "note-bot", AgentKey.load(path)) as agent:
    task = await agent.open("tidy-note", params={"note": "shopping"}, lease_s=15)
    token = await task.token()
    ...
    await task.complete("done")
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from remit.sdk.connector import Look
from remit.sdk.dpop import DpopProver
from remit.sdk.errors import GatewayRefused, GatewayUnreachable
from remit.sdk.key import AgentKey
from remit.sdk.oauth.discovery import IssuerMetadata, find_server
from remit.sdk.oauth.endpoint import OAuthIdentity, Token, TokenEndpoint
from remit.sdk.oauth.grants import JWT_BEARER
from remit.sdk.oauth.web import OAuthHttp
from remit.sdk.wire import Gateway, segment
from remit.sdk.workload import TokenFile

Json = Any

#: Codes with which the gateway says that a task has ended.
ENDED: Final = frozenset({"task-ended", "task-expired", "task-lease", "fenced", "no-task"})
#: Codes of an end that nobody ordered: time went by while nobody renewed, for instance in a machine's sleep.
RAN_OUT: Final = frozenset({"task-expired", "task-lease"})
COMPLETE_TRIES: Final = 3


class _TokenSource:
    """Holds tokens, one for each resource, and gets the next; callers at once share one request."""

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
    """An agent with its key at one gateway. Use it inside one event loop."""

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
        """Take the address, and the key or the platform's token by which the agent proves itself; `issuer` is
        what the gateway calls itself, if not its address. `look` looks at each connection before it is used.

        All tokens are bound to a key of this session alone, which never leaves it (`prover`).
        """
        super().__init__()
        self.gateway = Gateway(base_url, ca_file=ca_file, public_url=issuer, look=look)
        self.agent = agent
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
        """Close the connections; tasks that are open stay open until they are completed or run out."""
        await self.gateway.close()
        await self._web.close()

    async def _ask(self, resource: str) -> Token:
        return await self.grant(resource=resource)

    async def token(self, *, not_this: str = "") -> str:
        """Return the agent's own token, for the management interface; never `not_this`, which was refused."""
        return await self._token(f"{self.gateway.public_url}/api/v1", not_this)

    async def grant(self, **more: str) -> Token:
        """Ask for a token by this agent's key (RFC 6749 section 4.4) or by its platform's token (RFC 7523
        section 2.1), for itself or for a task of its.
        """
        if self._server is None:
            self._server = await find_server(self._web, self.gateway.public_url)
        endpoint = TokenEndpoint(self._web, self._server, self._who, self.prover)
        if self._platform is not None:
            return await endpoint.ask({"grant_type": JWT_BEARER, "assertion": self._platform.read(), **more})
        return await endpoint.ask({"grant_type": "client_credentials", **more})

    async def ask(self, method: str, path: str, *, body: Json = None, task: str = "") -> Json:
        """Ask a management endpoint as this agent; a token that ran out on the way is replaced once.

        `task` is the task that it is about, if it is about one.
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
        """Open a task of this agent, and give it.

        With `person_session` (what `remit login` got, and `person_prover` where it is bound to a key) the
        person states the intent, else the agent does, where the task type permits that. With `lease_s` above
        0 the task ends when `keep` has not renewed it for so long. `plan` says what the work will need (see
        `extend_plan`). `manifest_digest` (`remit.sdk.manifest`) says what the agent is made of now.
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
        """Return a task of this agent that was opened elsewhere, from what the gateway said of it."""
        return TaskSession(self, facts)


class TaskSession(_TokenSource):
    """One open task: its token, its lease, its end."""

    def __init__(self, agent: AgentSession, facts: Json) -> None:
        """Take the task as the gateway gave it."""
        super().__init__()
        if not isinstance(facts, dict) or not isinstance(facts.get("id"), str):
            raise GatewayUnreachable("the gateway returned no task", remediation="check the address")
        self.agent = agent
        self.facts: dict[str, Json] = facts
        self.id: str = facts["id"]
        self.lease_s = int(facts.get("lease_s") or 0)
        self._path = f"/api/v1/tasks/{segment(self.id)}"

    async def token(self, *, upstream: str = "", door: str = "mcp", not_this: str = "") -> str:
        """Return a token of the task for one upstream at a door (`mcp`, `http`), or for the address that has
        all; never `not_this`, which was refused. Raises `GatewayRefused` with a code of `ENDED` when the task
        has ended.
        """
        return await self._token(self.agent.gateway.resource(upstream, door), not_this)

    async def _ask(self, resource: str) -> Token:
        return await self.agent.grant(mission_id=self.id, resource=resource)

    async def renew(self) -> None:
        """Renew the lease; raises `GatewayRefused` with a code of `ENDED` when the task has ended."""
        await self.agent.ask("POST", f"{self._path}/renew", task=self.id)

    async def keep(self) -> GatewayRefused:
        """Renew the lease at a third of its length until the task has ended; give the refusal that said so.

        A gateway that is not reachable is asked again: what ends the task then is its lease, at the gateway.
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
        """Ask for a longer plan: by tools (`upstream/tool`), or by
        `{"tool": ..., "arguments": {name: constraint}}`.

        Until the task has read untrusted data this is the agent's own word; from then on a human is asked.
        Gives `outcome` (`permit`, `deny`, or `defer` while a human is asked, then `approval` names the
        question), `reasons`, and the `task`. The same request, made again, takes the answer.
        """
        told = await self.agent.ask("POST", f"{self._path}/plan", body={"add": list(add)}, task=self.id)
        if isinstance(told, dict) and isinstance(told.get("task"), dict):
            self.facts = told["task"]
        return told

    async def complete(self, reason: str = "completed") -> Json:
        """End the task and give its closure.

        Asked again a few times where no answer comes, since ending twice gives the same closure; raises
        `GatewayUnreachable` then, and the lease ends the task.
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
