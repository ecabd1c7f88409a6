# SPDX-License-Identifier: Apache-2.0
"""Floor 5: the only place that names adapters. Puts one process together from its configuration."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from remit import __version__, api
from remit.adapters.log.file import FileHeadKeeper
from remit.adapters.policy.cedar import cedar_apart
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.compose.enforcement_points import enforcement_points
from remit.compose.keys import issuing_of, open_keys, periods_of, serve_keys
from remit.compose.people import consent_rules, document_fetch_of, entrances_of
from remit.compose.replicas import enter, fleet_of, front, passer_of, put_in_force, replica_of, tended
from remit.compose.secret_sources import fetch
from remit.compose.signals import (
    addressees_of,
    polled_of,
    receivers_of,
    targets_of,
    transmitters_of,
    watched_of,
)
from remit.compose.standing_secrets import credentials_of, look_after_secrets
from remit.compose.store import make_private, open_store, pins_of
from remit.compose.trust import Trusted, trust_of
from remit.compose.upstreams import idle_programs_of, offer_apis, starters_of, upstreams_of
from remit.config import Config, load_bundle, load_config
from remit.config.scaffold import keep_from_git
from remit.core.errors import KeyUnavailable, StoreUnavailable, UpstreamUnreachable, VerificationFailed
from remit.core.evidence.event import Event, EventBody
from remit.core.evidence.events.system import SystemStarted, SystemStopped
from remit.core.identity.principals import Memberships
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle
from remit.core.tools.tool import Tool
from remit.gateway.asgi import (
    Application,
    Receive,
    RequestsInProgress,
    Scope,
    Send,
    counting,
    raw_path,
)
from remit.gateway.http import HttpEndpoint, HttpLimits
from remit.gateway.mcp import McpEndpoint, McpLimits
from remit.gateway.request_target import own_target_only
from remit.ports.broker import Broker
from remit.ports.policy import PolicyEngine
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from remit.ports.upstream import LIST_CHANGED, HttpUpstream, Upstream
from remit.services.assembly.assembly import assemble
from remit.services.assembly.services import Services
from remit.services.assembly.settings import Settings
from remit.services.assembly.upkeep import Upkeep
from remit.services.credentials.upstream_assertion import UpstreamAssertions
from remit.services.identity.attestation import Attestors, NoIssuers
from remit.services.identity.keys import Keyring
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.limits.client_address import Proxies
from remit.services.limits.request_bodies import Bodies
from remit.services.people.connections import Connections
from remit.services.tasks.opening_limits import OpeningBounds
from remit.services.tools.pinned_tools import as_last_seen
from remit.services.tools.reachability import UpstreamReachability

log = logging.getLogger("remit")


def policy_engine(config: Config) -> PolicyEngine:
    """Return the engine that the configuration names."""
    return cedar_apart(config.data_classes)


def log_origin(tenant: str) -> str:
    """Name a tenant's log in its checkpoints."""
    return f"remit/{tenant}"


def memberships(config: Config) -> Memberships:
    """Return who belongs where by the configuration."""
    initiatives = {agent: name for name, one in config.initiatives.items() for agent in one.agents}
    return Memberships(groups=dict(config.groups), initiatives=initiatives)


def last_seen_tools(config: Config, bundle: Bundle) -> list[Tool]:
    """Return a bundle's tools joined with what their upstreams offered when they were last seen; reads
    alone.
    """
    return as_last_seen(bundle, pins_of(config))


def build(
    config: Config,
    keys: Keyring,
    store: Store,
    heads: FileHeadKeeper,
    upstreams: Mapping[str, Upstream],
    public_url: str,
    trust: Trusted | None = None,
    issuing: SvidIssuing | None = None,
    brokers: Mapping[str, Broker] | None = None,
    connections: Connections | None = None,
    address: str = "",
    reached: UpstreamReachability | None = None,
) -> Services:
    """Put the services together; nothing is started and nothing is applied yet. `address` is where other
    replicas reach this process.
    """
    limits = config.limits
    return assemble(
        Settings(
            tenant=config.tenant,
            public_url=public_url,
            origin=log_origin(config.tenant),
            clock=SystemClock(),
            entropy=SystemEntropy(),
            store=store,
            heads=heads,
            fleet=fleet_of(config, store, SystemClock()),
            replica=replica_of(config, address, SystemClock()),
            forwarder=passer_of(config),
            keys=keys,
            issuing=issuing,
            key_periods=periods_of(config.keys, config.workload_api),
            engine=policy_engine(config),
            upstreams=upstreams,
            reached=reached,
            brokers=brokers or {},
            connections=connections,
            processes=starters_of(upstreams),
            for_one_call=frozenset(
                name for name, one in config.upstreams.items() if one.lease and one.lease.per == "call"
            ),
            attestors=trust.attestors if trust else Attestors(),
            issuers=trust.issuers if trust else NoIssuers(),
            members=memberships(config),
            observed=frozenset(name for name, one in config.upstreams.items() if one.observed),
            unconstrained=frozenset(
                name for name, one in config.upstreams.items() if one.sender_constraint == "optional"
            ),
            own_uid=os.geteuid() if hasattr(os, "geteuid") else -1,
            proof_age_s=int(limits.proof_age_s),
            token_ttl_s=int(limits.token_ttl_s),
            refresh_ttl_s=int(config.oauth.refresh_ttl_s),
            leeway_s=int(config.oauth.clock_skew_s),
            introspectors=frozenset(config.oauth.introspectors),
            session_ttl_s=int(limits.session_ttl_s),
            approval_ttl_s=int(limits.approval_ttl_s),
            call_timeout_s=limits.call_timeout_s,
            settle_s=limits.closure_wait_s,
            max_calls_per_task=limits.max_calls_per_task,
            openings=OpeningBounds(
                per_minute=config.agents.openings_per_minute, open_at_once=config.agents.open_at_once
            ),
            suspend_on=frozenset(config.agents.suspend_on),
            end_on=frozenset(config.agents.end_on),
            second_person=config.people.second_person,
            enforcement_points=enforcement_points(config),
            permit_ttl_s=int(config.authzen.permit_ttl_s),
            report_within_s=int(config.authzen.report_within_s),
            document_fetch=document_fetch_of(config),
            entrances=entrances_of(config),
            browser_ttl_s=int(config.sign_in.browser_ttl_s),
            passkeys=config.sign_in.passkeys,
            consent=consent_rules(config),
            transmitters=transmitters_of(config, public_url),
            polled=polled_of(config),
            watched=watched_of(config),
            receivers=receivers_of(config),
            push_targets=targets_of(config),
            addressees=addressees_of(config),
        )
    )


@asynccontextmanager
async def open_house(
    config: Config, public_url: str = "", address: str = "", *, go_back: bool = False
) -> AsyncIterator[Services]:
    """Open everything that the configuration names, mend what a crash left, and close it all at the end.

    `address` is where this very process listens, whatever stands before it; `go_back` puts its bundle in
    force though other replicas have replaced it.
    Raises `ConfigInvalid`, `StoreUnavailable` or `VerificationFailed` before anything is served.
    """
    bundle = load_bundle(config)
    async with AsyncExitStack() as stack:
        make_private(config.at(config.keys.path))
        fetched = await fetch(config, SystemClock(), stack)
        keys = await open_keys(config, SystemClock(), SystemEntropy(), stack, log_origin(config.tenant))
        store, heads = open_store(config, SystemClock(), SystemEntropy(), keys.sealing, log_origin)
        stack.push_async_callback(store.close)
        keep_from_git(config.folder / ".remit")
        upkeep = Upkeep()
        reached = UpstreamReachability(SystemClock())
        upstreams = upstreams_of(config, bundle, reached.tell)
        url = public_url or config.listen.url
        issuing = issuing_of(config, keys, store, SystemClock(), SystemEntropy())
        own = {issuing.trust_domain: issuing.anchors} if issuing else {}
        trust = trust_of(config, url, SystemClock(), own)
        stack.push_async_callback(trust.close)
        assertion_issuer = UpstreamAssertions(keys.tokens, SystemClock(), SystemEntropy(), url)
        rotated, connections, brokers = credentials_of(config, store, keys.sealing, assertion_issuer, stack)
        house = build(
            config, keys, store, heads, upstreams, url, trust, issuing, brokers, connections, address, reached
        )
        # A new log's head is signed while it is empty, so that no log with events is ever without one.
        await house.evidence.check_head()
        await house.evidence.checkpoint()
        await house.tools.load()
        await put_in_force(house, bundle, go_back)
        await enter(house, stack, lambda: load_bundle(load_config(config.file)))
        recovered = await house.remains.recover()
        stack.push_async_callback(house.leases.stop)
        await house.remains.take_back()
        await house.rebundling.look()
        if not house.replicas.several:
            await house.spent.end()
        await house.signals.resume()
        await house.streams.begin()
        await house.notifications.begin()
        await _record(house, SystemStarted(version=__version__, bundle=bundle.digest, recovered=recovered))
        await house.evidence.checkpoint()
        for upstream in upstreams.values():
            stack.push_async_callback(upstream.stop)
        await asyncio.gather(*(_start(house, upkeep, name, one) for name, one in upstreams.items()))
        house.revocations.on_end(partial(_forget_task, upkeep, upstreams))
        await serve_keys(config, house, upkeep, stack)
        await look_after_secrets(config, house, rotated, fetched, keys.sealing, upkeep)
        _keep_up(house, config, upkeep)
        stack.push_async_callback(upkeep.close)
        yield house
        await upkeep.close()
        await house.deferrals.stop()
        await house.leases.stop()
        await house.mediator.count_refusals()
        await house.mediator.retry_late()
        await _record(house, SystemStopped())
        await _sign_last(house)


@asynccontextmanager
async def open_records(
    config: Config, upstreams: Mapping[str, Upstream] | None = None
) -> AsyncIterator[Services]:
    """Open what the configuration keeps and nothing that serves: no upstream is started, no bundle applied.

    For registering before the first start, and for rehearsals, which bring `upstreams` of their own. Raises
    `StoreUnavailable` while another process has it open.
    """
    async with AsyncExitStack() as stack:
        make_private(config.at(config.keys.path))
        await fetch(config, SystemClock(), stack, config.store, config.keys)
        keys = await open_keys(config, SystemClock(), SystemEntropy(), stack, log_origin(config.tenant))
        store, heads = open_store(config, SystemClock(), SystemEntropy(), keys.sealing, log_origin)
        stack.push_async_callback(store.close)
        house = build(config, keys, store, heads, upstreams or {}, config.listen.url)
        if not house.replicas.several:
            await house.remains.recover()
        yield house
        await house.evidence.checkpoint()


async def _start(house: Services, upkeep: Upkeep, name: str, upstream: Upstream) -> None:
    """Start an upstream and learn what it offers; one that is not there yet is learned of when it comes."""
    said: set[str] = set()

    def notified(method: str, params: Json) -> None:
        if method in LIST_CHANGED:
            said.add(LIST_CHANGED[method])
        else:
            house.announcements.notified(name, method, params)

    async def learn() -> None:
        # What the upstream says has changed is announced, even where the list reads as before.
        told = frozenset(said)
        said.clear()
        catalogue = await upstream.catalogue()
        if not isinstance(upstream, HttpUpstream):  # of an API it is its document that was read
            house.reached.tell(name, True)
        house.announcements.changed(name, told | await house.tools.learned(name, catalogue))

    try:
        await upstream.start(
            on_change=lambda: upkeep.soon(f"read the tools of {name}", learn),
            on_notification=notified,
        )
        await learn()
    except UpstreamUnreachable as error:
        # The others serve; this one is learned of when it comes, and is refused until then.
        house.reached.tell(name, False, error.message)
        log.warning("upstream `%s`: %s", name, error)


def application(house: Services, config: Config) -> Application:
    """Return everything that is served on the one port: the doors for traffic, and the management doors."""
    in_hand = RequestsInProgress(
        most=config.limits.max_calls_in_flight, most_of_agent=McpLimits().max_calls_per_agent
    )
    http = HttpEndpoint(
        house,
        limits=HttpLimits(
            max_request_bytes=config.limits.max_request_bytes, max_depth=config.limits.max_depth
        ),
        in_hand=in_hand,
    )
    door = McpEndpoint(
        house,
        in_hand=in_hand,
        limits=McpLimits(
            max_request_bytes=config.limits.max_request_bytes,
            max_depth=config.limits.max_depth,
            max_calls_in_flight=config.limits.max_calls_in_flight,
        ),
    )
    house.revocations.on_end(door.on_end)
    house.derived.kept_by("mcp-session", door.end_sessions)
    house.derived.kept_by("mcp-stream", door.end_streams)
    house.announcements.listen(door.changed, door.notified)
    management = api.app(
        house,
        reload=lambda: load_bundle(load_config(config.file)),
        waiting=lambda: load_config(config.file).waiting(config),
        remote_sign_in=config.sign_in.remote_codes,
        max_body_bytes=config.limits.max_request_bytes,
        max_depth=config.limits.max_depth,
    )

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and http.owns(raw_path(scope)):
            await http(scope, receive, send)
        elif scope["type"] == "http" and door.owns(scope["path"]):
            await door(scope, receive, send)
        else:
            await management(scope, receive, send)

    doors = own_target_only(front(house, config, serve), house.public_url)
    return counting(doors, Bodies(config.limits.max_bodies_bytes), Proxies(config.listen.proxies))


def _keep_up(house: Services, config: Config, upkeep: Upkeep) -> None:
    """Begin all that goes on beside the calls."""
    upkeep.every("sign the log", 1.0, house.evidence.checkpoint)
    upkeep.every("read the log again", house.log_reading.pause_s, house.log_reading.turn)
    upkeep.every("end expired tasks", 1.0, house.revocations.expire)
    upkeep.every("check tasks against the bundle", 1.0, house.rebundling.turn)
    upkeep.every("complete interrupted ends", 5.0, house.revocations.take_up)
    upkeep.every("revoke credentials", 1.0, house.leases.sweep)
    upkeep.every("end idle programs", 1.0, idle_programs_of(config, house).look)
    upkeep.every("process signals", 5.0, tended(house, house.signals.resume))
    if house.polling.sources:
        upkeep.every("poll for signals", 1.0, tended(house, house.polling.turn))
    if house.silence.watched:
        upkeep.every("check for silent transmitters", 1.0, tended(house, house.silence.turn))
    for name in house.notifications.addressees:
        upkeep.every(f"notify {name}", 0.5, tended(house, partial(house.notifications.turn_of, name)))
    for name in (name for name, one in house.streams.receivers.items() if one.push):
        upkeep.every(f"send events to {name}", 0.5, tended(house, partial(house.telling.turn_of, name)))
    upkeep.every("check open sinks", 1.0, house.sink_alarms.look)
    upkeep.every("close unreported calls", 1.0, house.answers.sweep)
    upkeep.every("check deferred calls", 1.0, house.deferrals.sweep)
    upkeep.every("write counted refusals", 5.0, house.mediator.count_refusals)
    upkeep.every("write late outcomes", 1.0, house.mediator.retry_late)
    upkeep.every("write observations", 1.0, house.sightings.flush)
    upkeep.every("check the owners of agents", 60.0, tended(house, house.directory.look_at_owners))
    upkeep.every("read the tools of HTTP APIs", 0.5, partial(offer_apis, house, house.upstreams))
    upkeep.every("report upstreams", 0.5, partial(house.reached.record, house.store, house.tenant))


async def _forget_task(upkeep: Upkeep, upstreams: Mapping[str, Upstream], task: str) -> None:
    """Let go of what upstreams keep for a task that has ended; the end waits for none of them."""

    async def let_go() -> None:
        for upstream in upstreams.values():
            await upstream.end_task(task)

    upkeep.soon(f"release {task}", let_go)


async def _sign_last(house: Services) -> None:
    """Sign the log once more at the end; where nobody signs now, the next start does."""
    try:
        await house.evidence.checkpoint()
    except (KeyUnavailable, StoreUnavailable, VerificationFailed) as error:
        log.warning("the log's last events will be signed at the next start: %s", error)


async def _record(house: Services, body: EventBody) -> None:
    """Write to the evidence what remit itself did or met."""
    event = Event.of(body, at=house.clock.now(), tenant=house.tenant)
    await house.store.commit(Unit(events=(event,)))
