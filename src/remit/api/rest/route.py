# SPDX-License-Identifier: Apache-2.0
"""One entry of the route table: it both serves and documents an endpoint, so that the two cannot diverge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from remit.core.errors import Forbidden, NotFound
from remit.core.identity.principals import Agent, Person
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.core.policy.bundle import Bundle
from remit.core.replicas.forwarding import Seen
from remit.core.tasks.task import Task
from remit.ports.runtime import Clock
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, own_task, see_task
from remit.services.limits.sign_in_attempts import SignInAttempts
from remit.services.oauth.server import AuthorizationServer
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tasks.tasks import Tasks

S = TypeVar("S")
T = TypeVar("T")


class Items(msgspec.Struct, Generic[T], frozen=True):
    """A list of items."""

    items: tuple[T, ...]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies and queries; an unknown field is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestServices:
    """What all endpoints work with; `points` are the agents that may ask for decisions. `governed` says of a
    connection (the caller's end, this end) whether a process of a guarded session holds it.

    `reload` reads the bundle from its files (slow, in a thread); raises `ConfigInvalid`. `reread` reads all
    that a running remit takes over (slow, too); raises `ConfigInvalid`. `started` is when this process began.
    `remote_sign_in` lets people sign in with a code from other machines. `watch_s` is the time between two
    looks at the approvals.
    """

    tenant: str
    public_url: str
    clock: Clock
    tasks: Tasks
    live: LiveTasks
    identity: IdentityServices
    oauth: AuthorizationServer
    points: Collection[str]
    governed: Callable[[tuple[str, int], tuple[str, int]], bool]
    reload: Callable[[], Bundle]
    reread: Callable[[], FilesNow]
    started: datetime
    remote_sign_in: bool
    max_body_bytes: int
    max_depth: int
    watch_s: float
    tries: SignInAttempts


class PortCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate that the port shows, and when it expires.

    `fault` says why the files as they are now are not served: they are missing, do not belong together, or
    are not valid now.
    """

    file: str
    expires: datetime
    fault: str = ""


class FilesNow(msgspec.Struct, frozen=True, kw_only=True):
    """The files of the configuration as they are now.

    `observed` are the upstreams in observe mode. `waiting` are the sections that have changed since the start
    and count after the next one. `certificate` is absent without TLS.
    """

    bundle: Bundle
    observed: frozenset[str] = frozenset()
    waiting: tuple[str, ...] = ()
    certificate: PortCertificate | None = None


class HttpOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """How a request arrived: its headers, the observed connection, and whether another replica forwarded it.

    This is needed to send the request to another replica.
    """

    headers: tuple[tuple[bytes, bytes], ...] = ()
    seen: Seen = Seen()
    passed_on: bool = False


_AS_IT_CAME = HttpOrigin()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRequest(Generic[S]):
    """One request with its caller: a person with `secret`, an agent with `claims`, or neither.

    `rooms` are the services of this endpoint, and `desk` holds those of all endpoints.

    `place` are the parts of the path; `body` and `query` have the types that the endpoint names. `client` is
    the caller's address. `proxied`: a proxy forwarded the request. `origin` is the source of the request by
    which bounds are counted.
    """

    desk: RestServices
    rooms: S
    place: dict[str, str]
    body: Any = None
    query: Any = None
    person: Person | None = None
    secret: str = ""
    agent: Agent | None = None
    claims: AccessClaims | None = None
    certificates: tuple[bytes, ...] = ()
    client: str = ""
    proxied: bool = False
    origin: str = ""
    arrived: HttpOrigin = _AS_IT_CAME

    def by_person(self, person: Person, secret: str) -> RestRequest[S]:
        """Return the request with a person as its caller."""
        return replace(self, person=person, secret=secret)

    def proven_by(self, jkt: str) -> RestRequest[S]:
        """Return the request with the key of a DPoP proof that was checked here."""
        seen = msgspec.structs.replace(self.arrived.seen, jkt=jkt)
        return replace(self, arrived=msgspec.structs.replace(self.arrived, seen=seen))

    def by_agent(self, agent: Agent, claims: AccessClaims) -> RestRequest[S]:
        """Return the request with an agent as its caller."""
        return replace(self, agent=agent, claims=claims)

    def by_certificates(self, chain: tuple[bytes, ...]) -> RestRequest[S]:
        """Return the request with the certificate chain by which its caller is known, leaf first."""
        return replace(self, certificates=chain)

    def saying(self, *, body: Json, query: Json) -> RestRequest[S]:
        """Return the request with its body and query."""
        return replace(self, body=body, query=query)

    @property
    def someone(self) -> Person:
        """The calling person; for endpoints that agents may not call."""
        if self.person is None:
            raise Forbidden("only people may do this", remediation="sign in with `remit login`")
        return self.person

    @property
    def by(self) -> str:
        """The caller's name as it is written in the evidence."""
        return self.person.name if self.person else f"agent:{self.agent.name}" if self.agent else ""

    async def task(self) -> Task:
        """Return the task that the path names, if the caller may see it.

        A person may see their own tasks and, with a role, every task; an agent may see its own tasks; a token
        that is bound to a task gives access to that task only. Otherwise raise `NotFound`.
        """
        task = await self.desk.tasks.get(self.place["task"])
        if self.person is not None:
            return see_task(task, self.person)
        bound = self.claims.task if self.claims else ""
        if self.agent is None or task.agent != self.agent.name or bound not in ("", task.id):
            raise NotFound(f"task `{task.id}` does not exist", remediation="use the task's own token")
        return task

    def owns(self, task: Task) -> bool:
        """Return whether the task belongs to the caller."""
        return own_task(task, self.person) if self.person else True


class Endpoint(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """One operation of the REST interface.

    `people` is the duty that a person needs; with `None`, people may not call. `agents`: an agent's token
    without a task may call. `tasks`: a token that is bound to a task may call. `open`: every caller may.
    `takes`, `asks` and `gives` are the types of body, query and answer; `media` is the answer's media type.
    `lenient` endpoints follow an external standard: unknown fields are ignored, and unreadable input is a
    400. `decodes` are further media types of the body, each with what turns its bytes into the JSON form.
    With `certificates` an enforcement point may authenticate by its TLS certificate alone. `rooms` is the
    type of the services that `serve` uses.
    """

    method: str
    path: str
    summary: str
    serve: Callable[[RestRequest[S]], Awaitable[Any]]
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
    decodes: Mapping[str, Callable[[bytes], Json]] = {}
    certificates: bool = False
    rooms: Any = None


def group(tag: str, rooms: type[S], endpoints: Iterable[Endpoint[S]]) -> tuple[Endpoint[Any], ...]:
    """Return endpoints that belong together, with the type of what they work with."""
    return tuple(msgspec.structs.replace(one, tag=tag, rooms=rooms) for one in endpoints)


def of_standard(
    method: str, path: str, summary: str, serve: Callable[[RestRequest[S]], Awaitable[Any]], **more: Any
) -> Endpoint[S]:
    """Return an endpoint of an external standard for agents: its bodies are read leniently."""
    return Endpoint(
        method=method, path=path, summary=summary, serve=serve, agents=True, lenient="takes" in more, **more
    )
