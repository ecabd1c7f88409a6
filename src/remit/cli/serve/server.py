# SPDX-License-Identifier: Apache-2.0
"""Serving: one process, one event loop, one port, from opening the store to the last signed head."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import uvicorn
from uvicorn.server import ServerState

from remit.cli.instance import RESTART, Instance, InstanceClaim, claimed, running, worker_file
from remit.cli.output import terminal
from remit.cli.serve import unix_socket
from remit.cli.serve.connections import QUIET_S, AddressLimit, BoundedConnection
from remit.cli.serve.gc import settle_memory
from remit.cli.serve.listening_sockets import OWN_DESCRIPTORS, KeptSockets, descriptors, inherited, passed_on
from remit.cli.serve.service_log import SERVICE, LogStyle, logging_to
from remit.cli.serve.transfers import Arrival, Transfers
from remit.cli.serve.welcome import StartupMessage, first_code, show_welcome
from remit.compose import application, open_services
from remit.compose.programs import hide_this_process
from remit.compose.trust import local_peers
from remit.config import Config
from remit.core.errors import ConfigInvalid
from remit.core.replicas.replica import address_at
from remit.gateway.asgi import Application

if TYPE_CHECKING:
    from remit.cli.serve.tls import RenewedContext

#: How long pending calls may take to finish after a signal; a second signal does not wait.
DRAIN_S = 5
#: Connections that the kernel queues, also while remit starts again.
BACKLOG = 2048
_LOOK_S = 0.01
#: Seconds between two looks of a worker at whether its supervisor lives.
_FOLLOW_S = 1.0


class StopRequest(NamedTuple):
    """The options of the command line that extend the configuration."""

    port: int | None = None
    ready_file: Path | None = None
    code_for: str = ""
    go_back: bool = False
    log: LogStyle = LogStyle()
    adopt_state: bool = False


def serve(config: Config, wish: StopRequest) -> int:
    """Serve until a signal arrives, and return the exit code; report it if remit runs already."""
    given = inherited()
    if given.worker:
        # Its supervisor has the claim.
        found = running(Path(config.file))
        if found is None or found.pid != os.getppid():
            given.close()
            raise ConfigInvalid(
                "a worker has no supervisor", remediation="start it with `remit up --workers N`"
            )
        kept = _run(config, wish, InstanceClaim(Path(config.file)), given)
    else:
        with claimed(Path(config.file)) as claim:
            if isinstance(claim, Instance):
                given.close()
                return report_running(claim, wish)
            kept = _run(config, wish, claim, given)
    if kept is not None:
        _start_again(config, wish, kept)
    return 0


def _run(config: Config, wish: StopRequest, claim: InstanceClaim, given: KeptSockets) -> KeptSockets | None:
    with logging_to(Path(claim.instance.log), wish.log):
        hide_this_process()
        if sys.platform != "win32":
            signal.signal(RESTART, _too_late)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(config, wish, claim, given))


def report_running(other: Instance, wish: StopRequest) -> int:
    """Report that remit runs already, and return the exit code; `ConfigInvalid` for what needs a start."""
    given = {"--code-for": wish.code_for, "--go-back": wish.go_back, "--adopt-state": wish.adopt_state}
    if option := next((name for name, value in given.items() if value), ""):
        raise ConfigInvalid(
            f"remit already runs (process {other.pid}), and `{option}` belongs to its start",
            remediation="run `remit stop` first",
        )
    if wish.port and other.url and not other.url.endswith(f":{wish.port}"):
        raise ConfigInvalid(
            f"remit already runs for this configuration (process {other.pid}), at {other.url}",
            remediation="run `remit stop` first, or leave out `--port`",
        )
    if wish.ready_file is not None and other.url:
        write_ready(wish.ready_file, other.url, other.pid)
    if terminal.is_json():
        terminal.answer(other.facts)
        return 0
    where = f" at {other.url}" if other.url else ", and is about to serve"
    terminal.say("remit is already running", terminal.text(where, "bold"))
    terminal.picture(terminal.facts([("process", other.pid), ("since", terminal.moment(other.since))]))
    terminal.say("`remit status` shows more, `remit stop` ends it.", style="dim")
    return 0


def _start_again(config: Config, wish: StopRequest, kept: KeptSockets) -> None:
    """Become the next run: the same process, so that a terminal or a supervisor keeps it.

    Options that belong to one start are not repeated. The port is, because clients know it.
    """
    assert kept.port is not None
    port = kept.port.getsockname()[1]
    more = wish.log.words
    more += ["--ready-file", str(wish.ready_file)] if wish.ready_file is not None else []
    more += ["--json"] if terminal.is_json() else []
    sys.stdout.flush()
    sys.stderr.flush()
    words = ["-P", "-m", "remit", "up", "--config", config.file, "--port", str(port), *more]
    environment = {**os.environ, **passed_on(kept)}
    os.execve(sys.executable, [sys.executable, *words], environment)  # noqa: S606 - our own program


def _too_late(*_: object) -> None:
    """Ignore a restart while remit starts or closes; unlike an ignored signal, programs do not inherit it."""


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(
    config: Config, wish: StopRequest, claim: InstanceClaim, given: KeptSockets
) -> KeptSockets | None:
    """Serve; return the sockets for the next run if remit is to start again."""
    log = logging.getLogger(SERVICE)
    place = worker_file(Path(config.file), given.worker, "sock") if given.worker else None
    supervisor = os.getppid()
    with listening(config, wish.port, given.port, as_given=place is not None) as sock:
        url = public_url(config, sock)
        address = address_at(str(place)) if place is not None else public_url(config, sock, own=True)
        if sys.stderr.isatty():
            terminal.remark(f"starting, with {terminal.counted(len(config.upstreams), 'upstream')}")
        begins = {"go_back": wish.go_back, "adopt": wish.adopt_state}
        async with open_services(config, url, address, **begins) as services:
            code = None
            if given.worker <= 1:
                code = await first_code(
                    services.identity,
                    services.evidence.log,
                    wish.code_for,
                    approves=config.people.first_approves,
                )
            tls = tls_context(config)
            wire = _wire(config, application(services, config, tls.look if tls else lambda: None), tls)
            server = Server(services.tools.announcements.close, wire, worker=given.worker)

            async def ready() -> None:
                if place is not None:
                    await unix_socket.listen_for_workers(server, place)
                    if tls is None:
                        server.exchange(place, services.replicas.passing.is_introduced)
                    server.following = asyncio.create_task(server.follow(supervisor))
                if config.listen.socket:
                    local, open_to = config.at(config.listen.socket), config.listen.socket_open_to
                    served = await unix_socket.listen(server, local, local_peers(), open_to, given.local)
                    server.local = served.dup()
                elif given.local is not None:
                    given.local.close()
                for connection in given.connections:
                    await server.adopt(connection, encrypted=tls is not None)
                settle_memory()
                welcome = StartupMessage(config=config, url=url, code=code, moved=url != config.listen.url)
                if given.worker <= 1:
                    found = services.evidence.log, services.policies, services.tools.registry
                    await show_welcome(*found, welcome)
                claim.serves(url)
                log.info("serves at %s", url)
                if wish.ready_file is not None:
                    write_ready(wish.ready_file, url, os.getpid())

            await server.run_on(sock, ready)
            log.info("no longer serves; what is open is closed")
    terminal.remark(f"the head of the evidence is signed; {'starting again' if server.again else 'stopped'}")
    return server.kept if server.again else None


def _wire(config: Config, answers: Application, tls: RenewedContext | None) -> uvicorn.Config:
    """Return how the server reads requests."""
    return uvicorn.Config(
        answers,
        lifespan="off",
        http=bounded(config),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Client addresses come from the connection, never from a header.
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )


def tls_context(config: Config) -> RenewedContext | None:
    """Return the TLS context of the port if the configuration has one; raises `ConfigInvalid`."""
    section = config.listen.tls
    if section is None:
        return None
    from remit.cli.serve.tls import AskingContext, RenewedContext

    kind = AskingContext if section.client_certificates == "ask" else RenewedContext
    return kind(config.at(section.certificate), config.at(section.key))


def bounded(config: Config) -> type[BoundedConnection]:
    """Return the kind of connection with the limits of a configuration."""
    limits = config.limits
    total = min(limits.max_connections, max(descriptors() - OWN_DESCRIPTORS, 1))
    addresses = AddressLimit(limits.max_connections_per_address, config.listen.proxies, total)
    return type("AddressedConnection", (BoundedConnection,), {"addresses": addresses})


def public_url(config: Config, sock: socket.socket, *, own: bool = False) -> str:
    """Return the address under which clients reach a socket; with `own` ignore a proxy in front of it."""
    listen = msgspec.structs.replace(config.listen, port=sock.getsockname()[1])
    return (msgspec.structs.replace(listen, public_url="") if own else listen).url


@contextmanager
def listening(
    config: Config, port: int | None, given: socket.socket | None = None, *, as_given: bool = False
) -> Iterator[socket.socket]:
    """Take the port before anything is opened: without the port a start is useless.

    A `given` socket is used if it listens at the configured address, or `as_given`, wherever it listens.
    """
    host, wanted = config.listen.host, config.listen.port if port is None else port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if given is not None and (as_given or _is_at(given, host, wanted)):
            sock = given
        else:
            if given is not None:
                given.close()
            sock = socket.create_server((host, wanted), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as fault:
        raise _not_listened(host, wanted, fault) from None
    with sock:
        sock.setblocking(False)
        yield sock


def _is_at(given: socket.socket, host: str, port: int) -> bool:
    """Return whether a socket listens at an address; port 0 is any port."""
    if given.family not in (socket.AF_INET, socket.AF_INET6) or given.type != socket.SOCK_STREAM:
        return False
    at = given.getsockname()
    found = socket.getaddrinfo(host, at[1], type=socket.SOCK_STREAM)
    return port in (0, at[1]) and any(at[0] == one[4][0] for one in found)


def _not_listened(host: str, port: int, fault: OSError | OverflowError) -> ConfigInvalid:
    """Return why a port could not be taken, with the remediation for that cause."""
    number = fault.errno if isinstance(fault, OSError) else None
    if number == errno.EADDRINUSE:
        what, remediation = "is in use", "stop what listens there, or choose another with `--port`"
    elif number == errno.EACCES:
        what, remediation = (
            "needs more privileges than this user has",
            "choose a port from 1024 on with `--port`",
        )
    elif number == errno.EADDRNOTAVAIL or isinstance(fault, socket.gaierror):
        what, remediation = "is not an address of this machine", "set `listen.host` to one that it has"
    else:
        what, remediation = f"cannot be listened on: {fault}", "choose another with `--port`"
    return ConfigInvalid(f"{host}:{port} {what}", remediation=remediation)


class ServedState(ServerState):
    """What the connections of one run share; `hands_over` once the next run takes the idle ones."""

    hands_over = False


class Server(uvicorn.Server):
    """The HTTP server, whose signals are ours: after draining, the process is closed in order."""

    again = False

    def __init__(self, end_streams: Callable[[], None], config: uvicorn.Config, worker: int = 0) -> None:
        """Serve nothing yet; `end_streams` closes the streams that only announce."""
        super().__init__(config)
        self.worker = worker
        self.following: asyncio.Task[None] | None = None
        self.state = self.server_state = ServedState()
        self.end_streams = end_streams
        self.kept = KeptSockets()
        self.local: socket.socket | None = None
        self.transfers: Transfers | None = None

    async def run_on(self, sock: socket.socket, ready: Callable[[], object]) -> None:
        """Serve on a socket until a signal arrives; await `ready` once connections are accepted."""
        loop = asyncio.get_running_loop()
        signals = [signal.SIGINT, signal.SIGTERM, RESTART]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            # The terminal was closed. `nohup` ignores that.
            signals.append(signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, self._restart if number == RESTART else self._stop, number)
        self.ready = ready
        # At the end, connections may leave no descriptor for it.
        self.kept = KeptSockets(sock.dup(), worker=self.worker)
        try:
            await self._serve([sock])
        finally:
            if self.following is not None:
                self.following.cancel()
            for number in signals:
                loop.remove_signal_handler(number)
            signal.signal(RESTART, _too_late)

    async def follow(self, supervisor: int) -> None:
        """Stop once the supervisor has ended."""
        while os.getppid() == supervisor:  # noqa: ASYNC110 - no event reports it
            await asyncio.sleep(_FOLLOW_S)
        self._stop(signal.SIGTERM)

    def _restart(self, _: int) -> None:
        if not self.should_exit:
            terminal.remark("starting again: new calls wait until then, those in progress are finished first")
            self.again = self.should_exit = True

    def _stop(self, number: int) -> None:
        if self.again:
            self.again = False
            return
        if self.should_exit:
            # A service manager may tell each worker what it tells the supervisor.
            self.force_exit = not self.worker or number == signal.SIGINT
            return
        terminal.remark(
            "stopping: no new calls, waiting for those in progress (interrupt again to stop at once)"
        )
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and report it."""
        await super().startup(sockets)
        if self.started:
            made = self.ready()
            if asyncio.iscoroutine(made):
                await made

    async def adopt(
        self, connection: socket.socket, *, encrypted: bool = False, arrival: Arrival | None = None
    ) -> None:
        """Serve a connection of the run before, or one that has arrived from another worker.

        It was not encrypted: with TLS now, it is closed.
        """
        if encrypted:
            connection.close()
            return
        connection.setblocking(False)
        kind: Any = self.config.http_protocol_class

        def adopted() -> Any:
            made = kind(config=self.config, server_state=self.server_state, app_state={})
            made.arrival = arrival
            return made

        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(adopted, connection)

    def exchange(self, place: Path, is_introduced: Callable[[bytes, bytes], bool]) -> None:
        """Exchange connections with other workers of this machine; takes and raises what `Transfers` does."""
        kind: Any = self.config.http_protocol_class
        self.transfers = kind.transfers = Transfers(place, is_introduced, self.adopt)
        self.transfers.open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the calls in progress. Before another run, keep the sockets: clients see no closed port."""
        if self.transfers is not None:
            self.transfers.close()
        if self.again:
            await self._hand_over()
            kept: list[socket.socket] = []
            for one in self._connections():
                if one.is_held:
                    # Where no descriptor is free, the connection ends and the restart goes on.
                    with suppress(OSError):
                        kept.append(one.release())
                    # Its own descriptor is closed now, and free for the next one.
                    await asyncio.sleep(0)
            self.kept = self.kept._replace(local=self.local, connections=tuple(kept))
            # What is still in progress had its time.
            self.config.timeout_graceful_shutdown = 1
        else:
            self.kept.close()
            if self.local is not None:
                self.local.close()
        await super().shutdown(sockets)
        if not self.again:
            self.kept.close()

    async def _hand_over(self) -> None:
        """Wait until no connection is in use, at most `DRAIN_S`."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + DRAIN_S
        for server in self.servers:
            server.close()
        self.end_streams()
        self.state.hands_over = True
        for one in self._connections():
            one.settle()
        # A TLS handshake that has begun is no connection yet.
        quiet_s = loop.time() + (QUIET_S if self.config.ssl is not None else 0.0)
        while loop.time() < quiet_s or not all(one.is_held for one in self._connections()):
            if loop.time() > until_s or self.force_exit or not self.again:
                return
            await asyncio.sleep(_LOOK_S)

    def _connections(self) -> list[BoundedConnection]:
        return [one for one in self.server_state.connections if isinstance(one, BoundedConnection)]


def write_ready(place: Path, url: str, pid: int) -> None:
    """Write the file of `--ready-file`, whole from the first moment."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode({"url": url, "pid": pid}) + b"\n")
    fresh.replace(place)
