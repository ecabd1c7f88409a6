# SPDX-License-Identifier: Apache-2.0
"""One process of remit: opened, begun, kept up, served on its port, and closed."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from remit import __version__, api
from remit.adapters.runtime.announcements import announcements
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.adapters.store.relational.state.rows import RestoredRow
from remit.api.rest.route import FilesNow, PortCertificate
from remit.api.spiffe.socket_path import MODES, bind
from remit.compose.brokers import secret_probes_of
from remit.compose.build import OpenedProcess, build, log_origin, policy_engine
from remit.compose.evidence.traces import tracer_of
from remit.compose.keys import issuing_of, open_keys, serve_keys
from remit.compose.replicas import enter, front, put_in_force, tended
from remit.compose.secret_sources import fetch
from remit.compose.standing_secrets import credentials_of, look_after_secrets
from remit.compose.store import make_private, open_store
from remit.compose.trust import trust_of
from remit.compose.upstreams import idle_programs_of, offer_apis, upstreams_of
from remit.config import Config, load_bundle, load_config, state_of
from remit.config.scaffold import keep_from_git
from remit.core.errors import (
    ConfigInvalid,
    KeyUnavailable,
    StoreUnavailable,
    UpstreamUnreachable,
    VerificationFailed,
)
from remit.core.evidence.event import Event, EventBody
from remit.core.evidence.events.system import SystemStarted, SystemStopped
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle
from remit.core.user_folders import announcement_socket
from remit.gateway.access_log import logging_requests
from remit.gateway.asgi import (
    Application,
    Receive,
    RequestsInProgress,
    Scope,
    Send,
    counting,
    raw_path,
)
from remit.gateway.endpoints import hooks_endpoint, http_endpoint, mcp_endpoint
from remit.gateway.hooks import HooksLimits
from remit.gateway.http import HttpLimits
from remit.gateway.mcp import McpLimits
from remit.gateway.request_target import own_target_only
from remit.ports.runtime import Clock
from remit.ports.store.units import Unit
from remit.ports.upstream import LIST_CHANGED, HttpUpstream, Upstream
from remit.services.assembly.services import Services
from remit.services.assembly.upkeep import Upkeep
from remit.services.authzen.declared_mapping import Expressions, NoExpressions
from remit.services.credentials.upstream_assertion import UpstreamAssertions
from remit.services.limits.client_address import Proxies
from remit.services.limits.request_bodies import Bodies
from remit.services.tools.reachability import UpstreamReachability

log = logging.getLogger("remit")


@asynccontextmanager
async def open_services(
    config: Config, public_url: str = "", address: str = "", *, go_back: bool = False, adopt: bool = False
) -> AsyncIterator[Services]:
    """Open everything that the configuration names, repair the effects of a crash, and close it all at the
    end.

    `address` is where this process itself listens, whatever proxy is in front of it; `go_back` puts its
    bundle in force although other replicas have replaced it; `adopt` takes the rows of state as they
    are, although others have changed them. Raises `ConfigInvalid`, `StoreUnavailable` or
    `VerificationFailed` before anything is served.
    """
    bundle = load_bundle(config)
    clock, entropy = SystemClock(), SystemEntropy()
    async with AsyncExitStack() as stack:
        make_private(config.at(config.keys.path))
        fetched = await fetch(config, clock, stack)
        keys = await open_keys(config, clock, entropy, stack, log_origin(config.tenant))
        store, heads = open_store(config, clock, entropy, keys.sealing, log_origin)
        stack.push_async_callback(store.close)
        keep_from_git(state_of(config.folder))
        upkeep = Upkeep()
        reached = UpstreamReachability(clock)
        url = public_url or config.listen.url
        upstreams = upstreams_of(config, bundle, reached.tell)
        issuing = issuing_of(config, keys, store, clock, entropy)
        own = {issuing.trust_domain: issuing.anchors} if issuing else {}
        trust = trust_of(config, url, clock, own)
        stack.push_async_callback(trust.close)
        voucher = UpstreamAssertions(keys.tokens, clock, entropy, url)
        rotated, connections, brokers = credentials_of(config, store, keys.sealing, voucher, stack)
        if (tracer := tracer_of(config)) is not None:
            stack.push_async_callback(tracer.close)
        opened = OpenedProcess(
            clock=clock,
            entropy=entropy,
            keys=keys,
            store=store,
            heads=heads,
            upstreams=upstreams,
            brokers=brokers,
            trust=trust,
            issuing=issuing,
            connections=connections,
            reached=reached,
            probes=secret_probes_of(config, stack),
            tracer=tracer,
            engine=policy_engine(config, stack),
        )
        services = build(config, opened, url, address)
        if adopt:
            await services.evidence.log.check_head()
            await services.evidence.state.adopt()
        await _begin(services, stack, bundle, go_back=go_back)
        for upstream in upstreams.values():
            stack.push_async_callback(upstream.stop)
        await asyncio.gather(*(_start(services, upkeep, name, one) for name, one in upstreams.items()))
        services.endings.events.ended.append(partial(_forget_task, upkeep, upstreams))
        await serve_keys(config, services.identity, services.findings.sightings, upkeep, stack)
        await _answer_envoy(services, config, stack)
        await look_after_secrets(config, services, rotated, fetched, keys.sealing, upkeep)
        await _hear_relays(services, config, url, stack)
        _keep_up(services, config, upkeep)
        stack.push_async_callback(upkeep.close)
        yield services
        await upkeep.close()
        await _end(services)


async def _answer_envoy(services: Services, config: Config, stack: AsyncExitStack) -> None:
    """Answer Envoy about requests that it sends to upstreams itself, until `stack` is closed."""
    section = config.listen.ext_authz
    if section is None:
        return
    from remit.gateway.ext_authz.assembly import ext_authz_listener
    from remit.gateway.ext_authz.listener import ProxyTls

    limits = McpLimits(
        max_request_bytes=config.limits.max_request_bytes,
        max_depth=config.limits.max_depth,
        max_calls_in_flight=config.limits.max_calls_in_flight,
    )
    listener = ext_authz_listener(
        services,
        section.upstreams,
        section.resources,
        expressions=expressions(),
        limits=limits,
        http=section.http,
    )
    stack.push_async_callback(listener.close)
    if section.socket:
        place, key = config.at(section.socket), "listen.ext_authz.socket"
        await listener.on_socket(await asyncio.to_thread(bind, place, MODES[section.socket_open_to], key))
        stack.callback(partial(place.unlink, missing_ok=True))
    if section.host:
        tls = ProxyTls(
            certificate=config.at(section.certificate),
            key=config.at(section.key),
            clients_ca=config.at(section.clients_ca),
            clients=frozenset(section.clients),
        )
        try:
            await listener.on_address(section.host, section.port, tls)
        except OSError as fault:
            raise ConfigInvalid(
                f"cannot listen at `{section.host}:{section.port}`: {fault.strerror or fault}",
                key="listen.ext_authz",
                remediation="check address, certificate, key and authorities",
            ) from None


def expressions() -> Expressions:
    """Return what evaluates the mappings of tools; it refuses each where its library is not installed."""
    try:
        from remit.adapters.expressions.cel import CelExpressions
    except ImportError:
        return NoExpressions()
    return CelExpressions()


async def _hear_relays(services: Services, config: Config, url: str, stack: AsyncExitStack) -> None:
    """Listen for relays of guarded clients; without it, a person's words stay in the client's session."""
    path = _announced_at(url)
    if not config.guards or sys.platform != "linux" or path is None:
        return
    try:
        await stack.enter_async_context(announcements(path, services.guard.relays.opened))
    except OSError as fault:
        log.warning("relays of guarded clients are not heard at %s: %s", path, fault.strerror)


def _announced_at(url: str) -> Path | None:
    port = urlsplit(url).port
    return Path(announcement_socket(os.environ, os.path.expanduser("~"), port)) if port else None


async def _begin(services: Services, stack: AsyncExitStack, bundle: Bundle, *, go_back: bool) -> None:
    """Put a bundle in force and mend what a crash left; nothing is served yet."""
    # A new log's head is signed while the log is empty, so that no log with events lacks a signed head.
    await services.evidence.log.check_head()
    if await services.endings.locks.loss() is not None:
        log.warning(
            "a restore lost events: everything is locked until administrators accept that; see `remit lock`"
        )
    await services.evidence.log.checkpoint()
    await services.tools.registry.load()
    await services.decisions.modes.look()
    await put_in_force(
        services.policies, bundle, several=services.replicas.membership.several, go_back=go_back
    )
    # Tools that no upstream offers are described, too: those of clients under guard, for one.
    await services.tools.registry.described()
    await enter(services, stack)
    recovered = await services.endings.remains.recover()
    stack.push_async_callback(services.credentials.leases.stop)
    await services.endings.remains.take_back()
    await services.endings.rebundling.look()
    if not services.replicas.membership.several:
        await services.endings.spent.end()
    await services.signals.heard.resume()
    await services.signals.streams.begin()
    await services.signals.notifications.begin()
    started = SystemStarted(version=__version__, bundle=bundle.digest, recovered=recovered)
    await _record(services, started)
    await services.evidence.log.checkpoint()


async def _end(services: Services) -> None:
    """Write what is left to be written, and sign the log once more."""
    await services.guard.close()
    await services.mediation.functions.close()
    await services.mediation.parked.stop()
    await services.mediation.deferrals.stop()
    await services.credentials.leases.stop()
    await services.mediation.mediator.count_refusals()
    await services.mediation.mediator.retry_late()
    await services.decisions.shadow.close()
    await _record(services, SystemStopped())
    await _sign_last(services)


@asynccontextmanager
async def open_records(
    config: Config,
    upstreams: Mapping[str, Upstream] | None = None,
    *,
    own_policies: bool = False,
    clock: Clock | None = None,
    restored: Sequence[RestoredRow] | None = None,
) -> AsyncIterator[Services]:
    """Open what the configuration stores and nothing that serves: start no upstream, apply no bundle.

    For registrations before the first start, and for rehearsals, which bring their own `upstreams` and
    `clock`. With `own_policies`, the policies came with remit, and no process is started to read them.
    `restored` opens a store that a backup has just replaced, and is the rows that the restore changed. Raises
    `StoreUnavailable` while another process has the store open.
    """
    clock, entropy = clock or SystemClock(), SystemEntropy()
    async with AsyncExitStack() as stack:
        make_private(config.at(config.keys.path))
        await fetch(config, clock, stack, config.store, config.keys)
        keys = await open_keys(config, clock, entropy, stack, log_origin(config.tenant))
        store, heads = open_store(config, clock, entropy, keys.sealing, log_origin, restored)
        stack.push_async_callback(store.close)
        services = build(
            config,
            OpenedProcess(
                clock=clock,
                entropy=entropy,
                keys=keys,
                store=store,
                heads=heads,
                upstreams=upstreams or {},
                engine=None if own_policies else policy_engine(config, stack),
            ),
            config.listen.url,
        )
        if restored is None:
            await services.evidence.log.check_settled()
            if not services.replicas.membership.several:
                await services.endings.remains.recover()
        yield services
        await services.evidence.log.checkpoint()


async def _start(services: Services, upkeep: Upkeep, name: str, upstream: Upstream) -> None:
    """Start an upstream and learn its tools; if it is not reachable yet, learn them once it is."""
    said: set[str] = set()

    def notified(method: str, params: Json) -> None:
        if method in LIST_CHANGED:
            said.add(LIST_CHANGED[method])
        else:
            services.tools.announcements.notified(name, method, params)

    async def learn() -> None:
        # Announce what the upstream reports as changed, even if the list reads the same.
        told = frozenset(said)
        said.clear()
        catalogue = await upstream.catalogue()
        if not isinstance(upstream, HttpUpstream):  # an API's document was read instead
            services.tools.reached.tell(name, True)
        services.tools.announcements.changed(
            name, told | await services.tools.registry.learned(name, catalogue)
        )

    try:
        await upstream.start(
            on_change=lambda: upkeep.soon(f"read the tools of {name}", learn),
            on_notification=notified,
        )
        await learn()
    except UpstreamUnreachable as error:
        # The others serve; the tools of this one are learned once it is reachable, and are refused until
        # then.
        services.tools.reached.tell(name, False, error.message)
        log.warning("upstream `%s`: %s", name, error)


def application(
    services: Services, config: Config, certificate: Callable[[], PortCertificate | None] = lambda: None
) -> Application:
    """Return everything served on the one port: the endpoints for traffic, and those for management.

    `certificate` renews the port's certificate from its files, and returns it.
    """
    in_hand = RequestsInProgress(
        most=config.limits.max_calls_in_flight, most_of_agent=McpLimits().max_calls_per_agent
    )
    http = http_endpoint(
        services,
        limits=HttpLimits(
            max_request_bytes=config.limits.max_request_bytes, max_depth=config.limits.max_depth
        ),
        in_hand=in_hand,
    )
    endpoint = mcp_endpoint(
        services,
        in_hand=in_hand,
        limits=McpLimits(
            max_request_bytes=config.limits.max_request_bytes,
            max_depth=config.limits.max_depth,
            max_calls_in_flight=config.limits.max_calls_in_flight,
        ),
    )
    hooks = hooks_endpoint(
        services, in_hand=in_hand, limits=HooksLimits(max_body_bytes=config.limits.max_result_bytes)
    )
    management = api.app(
        services,
        reload=lambda: load_bundle(load_config(config.file)),
        reread=partial(_files_now, config, certificate),
        remote_sign_in=config.sign_in.remote_codes,
        max_body_bytes=config.limits.max_request_bytes,
        max_depth=config.limits.max_depth,
    )

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and http.owns(raw_path(scope)):
            await http(scope, receive, send)
        elif scope["type"] == "http" and hooks.owns(raw_path(scope)):
            await hooks(scope, receive, send)
        elif scope["type"] == "http" and endpoint.owns(scope["path"]):
            await endpoint(scope, receive, send)
        else:
            await management(scope, receive, send)

    endpoints = own_target_only(front(services, config, serve), services.public_url)
    endpoints = logging_requests(endpoints, services.clock)
    return counting(endpoints, Bodies(config.limits.max_bodies_bytes), Proxies(config.listen.proxies))


def _files_now(running: Config, certificate: Callable[[], PortCertificate | None]) -> FilesNow:
    """Read the files of a running remit again; raises `ConfigInvalid`."""
    now = load_config(running.file)
    return FilesNow(
        bundle=load_bundle(now),
        observed=now.observed,
        waiting=now.waiting(running),
        certificate=certificate(),
    )


def _keep_telling(services: Services, upkeep: Upkeep) -> None:
    """Start what notifies people, sends the log to receivers, exports and witnesses, and prunes it."""
    if services.evidence.witnesses.watched:
        upkeep.every(
            "ask the witnesses", 1.0, tended(services.endings.remains, services.evidence.witnesses.turn)
        )
    if services.evidence.retention.rule.keep is not None:
        upkeep.every(
            "prune the log", 3600.0, tended(services.endings.remains, services.evidence.retention.turn)
        )
    for name in services.evidence.exports.targets:
        upkeep.every(
            f"export to {name}",
            0.5,
            tended(services.endings.remains, partial(services.evidence.exports.turn_of, name)),
        )
    for name in services.signals.notifications.addressees:
        upkeep.every(
            f"notify {name}",
            0.05,
            tended(services.endings.remains, partial(services.signals.notifications.turn_of, name)),
        )
    for name in (name for name, one in services.signals.streams.receivers.items() if one.push):
        upkeep.every(
            f"send events to {name}",
            0.5,
            tended(services.endings.remains, partial(services.signals.transmitter.turn_of, name)),
        )


def _keep_up(services: Services, config: Config, upkeep: Upkeep) -> None:
    """Start all background work."""
    upkeep.every("sign the log", 1.0, services.evidence.log.checkpoint)
    upkeep.every(
        "read the log again", services.evidence.log_reading.pause_s, services.evidence.log_reading.turn
    )
    upkeep.every("compare the rows of state", services.evidence.state.pause_s, services.evidence.state.turn)
    upkeep.every("end expired tasks", 1.0, services.endings.revocations.expire)
    upkeep.every("check tasks against the bundle", 1.0, services.endings.rebundling.turn)
    upkeep.every("complete interrupted ends", 5.0, services.endings.revocations.take_up)
    upkeep.every("revoke credentials", 1.0, services.credentials.leases.sweep)
    upkeep.every(
        "end idle programs",
        1.0,
        idle_programs_of(
            config, services.credentials.leases, services.tasks.live, services.endings.events
        ).look,
    )
    upkeep.every("process signals", 5.0, tended(services.endings.remains, services.signals.heard.resume))
    if services.signals.polling.sources:
        upkeep.every("poll for signals", 1.0, tended(services.endings.remains, services.signals.polling.turn))
    if services.signals.silence.watched:
        upkeep.every(
            "check for silent transmitters",
            1.0,
            tended(services.endings.remains, services.signals.silence.turn),
        )
    _keep_telling(services, upkeep)
    upkeep.every("check open sinks", 1.0, services.credentials.sink_alarms.look)
    upkeep.every("close unreported calls", 1.0, services.answers.sweep)
    upkeep.every("end sessions of clients that are gone", 5.0, services.guard.sessions.sweep)
    upkeep.every("check deferred calls", 1.0, services.mediation.deferrals.sweep)
    upkeep.every("forget results of parked calls", 5.0, services.mediation.parked.sweep)
    upkeep.every("write counted refusals", 5.0, services.mediation.mediator.count_refusals)
    upkeep.every("write late outcomes", 1.0, services.mediation.mediator.retry_late)
    upkeep.every("follow modes", 1.0, services.decisions.modes.look)
    upkeep.every("shadow the candidate", 1.0, services.decisions.shadow.turn)
    if services.decisions.escalations.steps:
        upkeep.every("escalate questions", 5.0, services.decisions.escalations.turn)
    upkeep.every("write observations", 1.0, services.findings.sightings.flush)
    _keep_discovering(services, config, upkeep)
    upkeep.every(
        "check the owners of agents",
        60.0,
        tended(services.endings.remains, services.identity.directory.look_at_owners),
    )
    if services.inspection.reviews.rule is not None:
        upkeep.every(
            "look for due access reviews",
            60.0,
            tended(services.endings.remains, services.inspection.reviews.turn),
        )
    upkeep.every(
        "read the tools of HTTP APIs",
        0.5,
        partial(offer_apis, services.policies, services.tools, services.upstreams),
    )
    upkeep.every(
        "report upstreams", 0.5, partial(services.tools.reached.record, services.store, services.tenant)
    )


def _keep_discovering(services: Services, config: Config, upkeep: Upkeep) -> None:
    """Start what opens accepted findings again, counts, looks for anomalies, and the configured scans."""
    remains, scheduled = services.endings.remains, services.discovery.scheduled
    programme = services.inspection.programme
    upkeep.every("count the programme", 2.0, programme.turn)
    upkeep.every("tell of initiatives that cross", 2.0, tended(remains, programme.tell))
    if config.anomalies.watch:
        upkeep.every("look for anomalies", 2.0, tended(remains, services.findings.anomalies.turn))
    upkeep.every(
        "compare the places of keys and tokens",
        15.0,
        tended(remains, services.findings.sightings.compare),
    )
    upkeep.every("open accepted findings again", 30.0, tended(remains, services.findings.findings.reopen_due))
    if config.discovery.live:
        upkeep.every(
            "look at unused grants", config.discovery.every, tended(remains, scheduled.look_at_traffic)
        )
    if config.discovery.paths:
        from remit.compose.discovery.scans import ConfiguredScan

        files = ConfiguredScan(
            state_of(config.folder), [str(config.at(one)) for one in config.discovery.paths]
        )
        scan = tended(remains, partial(scheduled.scan_files, config.discovery.scope, files))
        # Not only after the first interval: what is restarted more often would never scan.
        upkeep.soon("scan files", scan)
        upkeep.every("scan files again", config.discovery.every, scan)


async def _forget_task(upkeep: Upkeep, upstreams: Mapping[str, Upstream], task: str) -> None:
    """Release what upstreams keep for a task that has ended; the end does not wait for this."""

    async def let_go() -> None:
        for upstream in upstreams.values():
            await upstream.end_task(task)

    upkeep.soon(f"release {task}", let_go)


async def _sign_last(services: Services) -> None:
    """Sign the log once more at the end; if that fails, the next start signs it."""
    try:
        await services.evidence.log.checkpoint()
    except (KeyUnavailable, StoreUnavailable, VerificationFailed) as error:
        log.warning("the log's last events will be signed at the next start: %s", error)


async def _record(services: Services, body: EventBody) -> None:
    """Record in the evidence what remit itself did or encountered."""
    event = Event.of(body, at=services.clock.now(), tenant=services.tenant)
    await services.store.commit(Unit(events=(event,)))
