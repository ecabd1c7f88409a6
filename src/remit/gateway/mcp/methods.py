# SPDX-License-Identifier: Apache-2.0
"""The methods of MCP that this endpoint answers, in each era, and its streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import orjson

from remit.core.decisions.deferred_call import METHODS
from remit.core.errors import Fenced, RemitError
from remit.core.json_value import Json
from remit.core.tools.tool import RESOURCE_SUBSCRIBE
from remit.gateway.asgi import respond
from remit.gateway.mcp.calls import CALLS, UNSUBSCRIBE, Calls, CallVisit
from remit.gateway.mcp.deferred import DeferredMethods, Followed, FollowedCall, require
from remit.gateway.mcp.headers import SESSION, VERSION, check_modern, check_repeated, check_version, decoded
from remit.gateway.mcp.input_rounds import declared
from remit.gateway.mcp.listing import Listing, server_info
from remit.gateway.mcp.messages import (
    INVALID_REQUEST,
    LEGACY_VERSIONS,
    META_CLIENT,
    META_SERVER,
    META_SUBSCRIPTION,
    METHOD_NOT_FOUND,
    MODERN_VERSIONS,
    Incoming,
    WireFault,
    bad_params,
    event,
    notification,
    object_param,
    result_frame,
    text_param,
)
from remit.gateway.mcp.response import KEEP_ALIVE_S, LOG_LEVELS, SIGN_OF_LIFE, STREAM_HEADERS, respond_value
from remit.gateway.mcp.sessions import Session, Sessions
from remit.gateway.mcp.subscriptions import (
    FILTER,
    LIST_CHANGES,
    RESOURCE_UPDATED,
    Listener,
    Subscriptions,
)
from remit.ports.runtime import Clock
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.identity.authenticator import Authenticator
from remit.services.mediation.lists import PROMPTS, RESOURCES, TEMPLATES, TOOLS
from remit.services.tasks.live_tasks import LiveTask, LiveTasks

#: Milliseconds for which an agent may reuse a list: a listed tool can be suspended at any time.
LIST_TTL_MS: Final = 1000
#: Maximum number of resources that one stream or session may follow.
MAX_FOLLOWED: Final = 100

#: The notification of a stream about deferred calls (the tasks extension).
TASKS: Final = "notifications/tasks"
#: Placeholder for a request if a stream was not opened by one.
NOTHING: Final = Incoming("", {})

LISTS: Final = {
    "tools/list": TOOLS,
    "resources/list": RESOURCES,
    "resources/templates/list": TEMPLATES,
    "prompts/list": PROMPTS,
}


class Methods:
    """Answers messages that were read and checked."""

    def __init__(
        self,
        *,
        clock: Clock,
        sightings: SharedIdentities,
        live: LiveTasks,
        authenticator: Authenticator,
        listing: Listing,
        calls: Calls,
        deferred: DeferredMethods,
        sessions: Sessions,
        subscriptions: Subscriptions,
    ) -> None:
        """Keep the components of the endpoint."""
        self._clock = clock
        self._sightings = sightings
        self._live = live
        self._authenticator = authenticator
        self._listing = listing
        self._calls = calls
        self._deferred = deferred
        self._sessions = sessions
        self._subscriptions = subscriptions

    async def modern(self, visit: CallVisit, message: Incoming) -> None:
        """Answer one request of 2026-07-28."""
        method = message.method
        if message.id is None:
            # No notification of an agent has a meaning in this era: an agent cancels by disconnecting.
            check_version(decoded(visit.head.get(VERSION)))
            await respond(visit.send, 202, b"")
            return
        check_modern(visit.head, message)
        self._sightings.program(visit.claims, message.meta.get(META_CLIENT))
        if method in CALLS:
            await self._calls.run(visit, message)
        elif method in LISTS:
            await self._list(visit, message)
        elif method in METHODS:
            await self._deferred.run(visit, message)
        elif method == "server/discover":
            await self._discover(visit, message)
        elif method == "subscriptions/listen":
            await self._listen(visit, message)
        else:
            raise _no_method(method)

    async def legacy(self, visit: CallVisit, message: Incoming) -> None:
        """Answer one request of a session; begin a session if there is none yet."""
        check_repeated(visit.head, message)
        method, session = message.method, visit.session
        if session is None:
            await self._initialize(visit, message)
        elif message.id is None:
            if method == "notifications/cancelled":
                session.cancel(message.params.get("requestId"))
            await respond(visit.send, 202, b"")
        elif method in CALLS or method in ("resources/subscribe", UNSUBSCRIBE):
            await self._in_session(visit, session, message)
        elif method in LISTS:
            await self._list(visit, message)
        elif method == "ping":
            await respond_value(visit.send, message.id, {})
        elif method == "logging/setLevel":
            level = text_param(message.params, "level")
            if level not in LOG_LEVELS:
                raise bad_params(f"`{level[:40]}` is not a level", f"use one of {', '.join(LOG_LEVELS)}")
            session.log_level = level
            await respond_value(visit.send, message.id, {})
        else:
            raise _no_method(method)

    async def check_live(self, visit: CallVisit) -> None:
        """Raise the error that says how the task of a request has ended, if it has."""
        await self._bound(visit)

    def failure(self, visit: CallVisit, fault: WireFault) -> bytes | None:
        """Return the result that tells the failure of a tool's call; None for what stays an error."""
        return self._calls.failure(visit, fault)

    async def _bound(self, visit: CallVisit) -> LiveTask:
        return await self._live.bind(visit.claims, self._clock.now())

    async def _list(self, visit: CallVisit, message: Incoming) -> None:
        """Answer with a list of what the task may see."""
        kind = LISTS[message.method]
        entries = await self._listing.entries(visit.claims, await self._bound(visit), visit.place, kind)
        told: dict[str, Json] = {kind: [orjson.Fragment(entries)]}
        if visit.modern:
            told |= {"resultType": "complete", **CACHED}
        await respond_value(visit.send, message.id, told)

    async def _discover(self, visit: CallVisit, message: Incoming) -> None:
        live = await self._bound(visit)
        await respond_value(
            visit.send,
            message.id,
            {
                "resultType": "complete",
                "supportedVersions": [*LEGACY_VERSIONS, *MODERN_VERSIONS],
                "capabilities": self._listing.capabilities(live, visit.place, modern=True),
                **await self._listing.words(visit.claims, live, visit.place),
                **CACHED,
                "_meta": {META_SERVER: server_info(visit.place)},
            },
        )

    async def _initialize(self, visit: CallVisit, message: Incoming) -> None:
        if message.id is None:
            raise WireFault("`initialize` is a request", INVALID_REQUEST, status=400, code="not-jsonrpc")
        live = await self._bound(visit)
        self._sightings.program(visit.claims, message.params.get("clientInfo"))
        asked = text_param(message.params, "protocolVersion")
        version = asked if asked in LEGACY_VERSIONS else LEGACY_VERSIONS[-1]
        session_id = self._sessions.open(
            visit.claims, visit.place, version, declared(message.params.get("capabilities"))
        )
        await respond_value(
            visit.send,
            message.id,
            {
                "protocolVersion": version,
                "capabilities": self._listing.capabilities(live, visit.place, modern=False),
                "serverInfo": server_info(visit.place),
                **await self._listing.words(visit.claims, live, visit.place),
            },
            ((SESSION, session_id.encode()),),
        )

    async def _in_session(self, visit: CallVisit, session: Session, message: Incoming) -> None:
        assert message.id is not None
        if message.id in session.in_hand:
            raise WireFault("this `id` is in use", INVALID_REQUEST, status=400, code="id-in-use")
        call = asyncio.current_task()
        assert call is not None
        session.in_hand[message.id] = call
        try:
            if message.method in CALLS:
                await self._calls.run(visit, message)
            else:
                await self._follow(visit, session, message)
        finally:
            session.in_hand.pop(message.id, None)
            session.dropped.discard(message.id)

    async def _follow(self, visit: CallVisit, session: Session, message: Incoming) -> None:
        """Subscribe a session to a resource, or unsubscribe it.

        The upstream gets the unsubscription only from the last follower.
        """
        uri = text_param(message.params, "uri")
        upstream = await self._calls.owner(visit, message, RESOURCE_SUBSCRIBE, uri)
        follows = (upstream, uri) in session.uris
        if message.method == UNSUBSCRIBE:
            session.uris.discard((upstream, uri))
            if follows and self._subscriptions.unfollow(session.task, upstream, uri):
                await self._calls.run(visit, message)
            else:
                await respond_value(visit.send, message.id, {})
            return
        if not follows and len(session.uris) >= MAX_FOLLOWED:
            raise bad_params(f"a session follows at most {MAX_FOLLOWED} resources")
        if await self._calls.run(visit, message) and (upstream, uri) not in session.uris:
            session.uris.add((upstream, uri))
            self._subscriptions.follow(session.task, upstream, uri)

    # Streams.

    def _still(self, visit: CallVisit, live: LiveTask) -> Callable[[str], None]:
        """Return a check that a task may still receive data of an upstream: token, task, fence."""

        def still(upstream: str) -> None:
            now = self._clock.now()
            self._authenticator.claims(visit.token, now, proven=visit.proven)
            self._live.check(live, now)
            if upstream:
                fenced = self._live.fenced(live, live.call_scopes(f"{upstream}/{RESOURCE_SUBSCRIBE}"))
                if fenced:
                    raise Fenced(f"`{fenced}` has been ended", remediation="open a new task", step=8)

        return still

    async def stream(self, visit: CallVisit, session: Session) -> None:
        """Serve the only stream of a session (GET)."""
        if session.listener is not None:
            raise WireFault("this session has a stream", INVALID_REQUEST, status=409, code="stream-open")
        live = await self._bound(visit)
        listener = Listener(session.task, visit.place, LIST_CHANGES, self._still(visit, live))
        listener.uris = session.uris
        self._subscriptions.add(listener)
        session.listener = listener
        try:
            await _begin(visit)
            await _piece(visit, SIGN_OF_LIFE)
            await self._pass_on(visit, listener, {}, self._deferred.follow(visit, NOTHING, []))
            await visit.send({"type": "http.response.body", "body": b""})
        finally:
            session.listener = None
            self._subscriptions.remove(listener)

    async def _listen(self, visit: CallVisit, message: Incoming) -> None:
        """Serve `subscriptions/listen` (2026-07-28): first the accepted subscriptions, then the
        announcements.
        """
        wanted = object_param(message.params, "notifications")
        uris = wanted.get("resourceSubscriptions") or []
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise bad_params("`resourceSubscriptions` must be a list of URIs")
        if len(uris) > MAX_FOLLOWED:
            raise bad_params(f"a stream follows at most {MAX_FOLLOWED} resources")
        live = await self._bound(visit)
        calls = await self._calls_of(visit, message, wanted)
        kinds = [key for key in FILTER if wanted.get(key) is True]
        methods = frozenset(FILTER[key] for key in kinds)
        listener = Listener(live.task.id, visit.place, methods, self._still(visit, live))
        self._subscriptions.add(listener)
        try:
            honoured: dict[str, Json] = dict.fromkeys(kinds, True)
            followed = [uri for uri in dict.fromkeys(uris) if await self._listen_to(visit, listener, uri)]
            if followed:
                honoured["resourceSubscriptions"] = followed
            if calls:
                honoured["taskIds"] = [one.handle for one in calls]
            meta = {"_meta": {META_SUBSCRIPTION: message.id}}
            await _begin(visit)
            told = orjson.dumps({"notifications": honoured, **meta})
            await _piece(visit, event(notification("notifications/subscriptions/acknowledged", told)))
            await self._pass_on(visit, listener, meta, self._deferred.follow(visit, message, calls))
            end = result_frame(message.id) + orjson.dumps({"resultType": "complete", **meta}) + b"}"
            await visit.send({"type": "http.response.body", "body": event(end)})
        finally:
            for upstream, uri in listener.uris:
                self._subscriptions.unfollow(listener.task, upstream, uri)
            self._subscriptions.remove(listener)

    async def _listen_to(self, visit: CallVisit, listener: Listener, uri: str) -> bool:
        """Subscribe to one resource, through the nine steps; return `False` if it is refused."""
        asked = Incoming("resources/subscribe", {"uri": uri})
        try:
            upstream = await self._calls.owner(visit, asked, RESOURCE_SUBSCRIBE, uri)
        except WireFault:
            return False
        if not await self._calls.quietly(visit, upstream, RESOURCE_SUBSCRIBE, {"uri": uri}):
            return False
        listener.uris.add((upstream, uri))
        self._subscriptions.follow(listener.task, upstream, uri)
        return True

    async def _calls_of(
        self, visit: CallVisit, message: Incoming, wanted: dict[str, Json]
    ) -> list[FollowedCall]:
        """Return those of the requested calls that belong to the task."""
        handles = wanted.get("taskIds")
        if handles is None:
            return []
        require(visit, message)
        if not isinstance(handles, list) or not all(isinstance(one, str) for one in handles):
            raise bad_params("`taskIds` must be a list of strings")
        if len(handles) > MAX_FOLLOWED:
            raise bad_params(f"a stream follows at most {MAX_FOLLOWED} tasks")
        found = [await self._deferred.followed(visit, one) for one in dict.fromkeys(handles)]
        return [one for one in found if one is not None]

    async def _pass_on(
        self, visit: CallVisit, listener: Listener, meta: dict[str, Json], calls: Followed
    ) -> None:
        """Write announcements until the agent disconnects, the stream is closed, or the task loses its
        right.
        """
        watcher = asyncio.get_running_loop().create_task(_close_with(visit, listener))
        clock = asyncio.get_running_loop().time
        spoke_s = clock()
        try:
            while True:
                found = await listener.next(calls.wait_s(clock(), KEEP_ALIVE_S))
                if listener.closed:
                    return
                async for told in calls.changed(clock):
                    params = {**told, **meta}
                    await _piece(visit, event(notification(TASKS, msgspec.json.encode(params))))
                if found is None:
                    if clock() - spoke_s >= KEEP_ALIVE_S:
                        spoke_s = clock()
                        await _piece(visit, SIGN_OF_LIFE)
                    continue
                method, _, uri = found
                about = {"uri": uri, **meta} if method == RESOURCE_UPDATED else meta
                await _piece(visit, event(notification(method, orjson.dumps(about))))
        except RemitError:
            # The agent learns the reason from its next request; the stream only ends.
            return
        finally:
            watcher.cancel()


async def _close_with(visit: CallVisit, listener: Listener) -> None:
    while (await visit.receive())["type"] != "http.disconnect":
        pass
    listener.close()


async def _begin(visit: CallVisit) -> None:
    visit.begun = True
    await visit.send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})


async def _piece(visit: CallVisit, data: bytes) -> None:
    await visit.send({"type": "http.response.body", "body": data, "more_body": True})


def _no_method(method: str) -> WireFault:
    return WireFault(f"method `{method[:80]}` does not exist", METHOD_NOT_FOUND, code="no-method")


CACHED: Final = {"ttlMs": LIST_TTL_MS, "cacheScope": "private"}
