# SPDX-License-Identifier: Apache-2.0
"""One line of the route table: it serves and documents, so that the two cannot drift apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import msgspec

from remit.core.errors import Forbidden, NotFound
from remit.core.identity.principals import Agent, Person
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.core.policy.bundle import Bundle
from remit.core.replicas.forwarding import Seen
from remit.core.tasks.task import Task
from remit.services.assembly.services import Services
from remit.services.identity.permissions import Duty, own_task, see_task
from remit.services.limits.sign_in_attempts import SignInAttempts

T = TypeVar("T")


class Items(msgspec.Struct, Generic[T], frozen=True):
    """A list of things."""

    items: tuple[T, ...]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request may say in its body or its query; an unknown field is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestServices:
    """What the endpoints work with besides the house.

    `reload` reads the bundle from its files (slow, in a thread); raises `ConfigInvalid`. `waiting` names the
    sections of the configuration that have changed since the start and count after the next one (slow, too).
    `remote_sign_in` lets people sign in with a code from other machines. `watch_s` is the time between two
    looks at the approvals.
    """

    house: Services
    reload: Callable[[], Bundle]
    waiting: Callable[[], tuple[str, ...]]
    remote_sign_in: bool
    max_body_bytes: int
    max_depth: int
    watch_s: float
    tries: SignInAttempts


class HttpOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """How a request arrived, for asking another replica on its behalf: its headers, what was seen of it, and
    whether another replica has passed it on.
    """

    headers: tuple[tuple[bytes, bytes], ...] = ()
    seen: Seen = Seen()
    passed_on: bool = False


_AS_IT_CAME = HttpOrigin()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRequest:
    """One request whose caller is known: a person with `secret`, or an agent with `claims`, or nobody.

    `place` are the parts of the path, `body` and `query` have the types that the endpoint names. `client` is
    the caller's address; `proxied` that somebody passed the request on; `origin` the place that the request
    comes from, as far as bounds go.
    """

    desk: RestServices
    place: dict[str, str]
    body: Any = None
    query: Any = None
    person: Person | None = None
    secret: str = ""
    agent: Agent | None = None
    claims: AccessClaims | None = None
    client: str = ""
    proxied: bool = False
    origin: str = ""
    arrived: HttpOrigin = _AS_IT_CAME

    @property
    def house(self) -> Services:
        """All services."""
        return self.desk.house

    def by_person(self, person: Person, secret: str) -> RestRequest:
        """Return the errand as a person's."""
        return replace(self, person=person, secret=secret)

    def proven_by(self, jkt: str) -> RestRequest:
        """Return the errand of a caller whose DPoP proof was judged here."""
        seen = msgspec.structs.replace(self.arrived.seen, jkt=jkt)
        return replace(self, arrived=msgspec.structs.replace(self.arrived, seen=seen))

    def by_agent(self, agent: Agent, claims: AccessClaims) -> RestRequest:
        """Return the errand as an agent's."""
        return replace(self, agent=agent, claims=claims)

    def saying(self, *, body: Json, query: Json) -> RestRequest:
        """Return the errand with what it says."""
        return replace(self, body=body, query=query)

    @property
    def someone(self) -> Person:
        """The person; for endpoints that agents may not call."""
        if self.person is None:
            raise Forbidden("only people may do this", remediation="sign in with `remit login`")
        return self.person

    @property
    def by(self) -> str:
        """The caller's name as the evidence has it."""
        return self.person.name if self.person else f"agent:{self.agent.name}" if self.agent else ""

    async def task(self) -> Task:
        """Return the task that the path names, if the caller may see it.

        A person sees their own and, with a role, every task; an agent its own tasks; a token that is bound to
        a task that task alone. What may not be seen is not there (`NotFound`).
        """
        task = await self.house.tasks.get(self.place["task"])
        if self.person is not None:
            return see_task(task, self.person)
        bound = self.claims.task if self.claims else ""
        if self.agent is None or task.agent != self.agent.name or bound not in ("", task.id):
            raise NotFound(f"task `{task.id}` does not exist", remediation="use the task's own token")
        return task

    def owns(self, task: Task) -> bool:
        """Whether the task is the caller's own."""
        return own_task(task, self.person) if self.person else True


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the REST interface.

    `people` is the duty that a person needs, `None` where people may not call. `agents`: an agent's token
    without a task may. `tasks`: a token that is bound to a task may. `open`: anybody may. `takes`, `asks` and
    `gives` are the types of body, query and answer; `media` is the answer's media type. `lenient` endpoints
    are others' standards: fields that are not known are passed over, and whatever cannot be read is a 400.
    With `certificates` an enforcement point may come with its TLS certificate alone.
    """

    method: str
    path: str
    summary: str
    serve: Callable[[RestRequest], Awaitable[Any]]
    people: Duty | None = None
    agents: bool = False
    tasks: bool = False
    open: bool = False
    takes: Any = None
    asks: Any = None
    gives: Any = None
    status: int = 200
    media: str = "application/json"
    tag: str = ""
    lenient: bool = False
    certificates: bool = False


def of_standard(
    method: str, path: str, summary: str, serve: Callable[[RestRequest], Awaitable[Any]], **more: Any
) -> Endpoint:
    """Return an endpoint that agents call as somebody else's standard says: its bodies are read leniently."""
    return Endpoint(
        method=method, path=path, summary=summary, serve=serve, agents=True, lenient="takes" in more, **more
    )
