# SPDX-License-Identifier: Apache-2.0
"""Serving: one process, one event loop, one port, from opening the store to the last signed head."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvicorn

from remit.cli.output import terminal
from remit.cli.serve import unix_socket
from remit.cli.serve.connections import BoundedConnection
from remit.cli.serve.gc import settle_memory
from remit.cli.serve.welcome import StartupMessage, first_code, show_welcome
from remit.compose import application, open_services
from remit.compose.programs import hide_this_process
from remit.compose.trust import local_peers
from remit.config import Config
from remit.core.errors import ConfigInvalid

#: How long pending calls may take to finish after a signal; a second signal does not wait.
DRAIN_S = 5


class StopRequest(NamedTuple):
    """The options of the command line that extend the configuration."""

    port: int | None = None
    ready_file: Path | None = None
    code_for: str = ""
    go_back: bool = False


def serve(config: Config, wish: StopRequest) -> int:
    """Serve until a signal arrives, and return the exit code."""
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    # Errors in client requests are reported in answers; the rest of its log is noise.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    hide_this_process()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(config, wish))
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(config: Config, wish: StopRequest) -> None:
    with listening(config, wish.port) as sock:
        url = public_url(config, sock)
        address = public_url(config, sock, own=True)
        if sys.stderr.isatty():
            terminal.remark(f"starting, with {terminal.counted(len(config.upstreams), 'upstream')}")
        async with open_services(config, url, address, go_back=wish.go_back) as services:
            code = await first_code(services.identity, services.evidence.log, wish.code_for)
            tls = tls_context(config)
            server = Server(
                uvicorn.Config(
                    application(services, config),
                    lifespan="off",
                    http=BoundedConnection,
                    ws="none",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    # Client addresses come from the connection, never from a header.
                    proxy_headers=False,
                    timeout_graceful_shutdown=DRAIN_S,
                    ssl_context_factory=None if tls is None else lambda *_: tls,
                )
            )

            async def ready() -> None:
                if config.listen.socket:
                    place = config.at(config.listen.socket)
                    await unix_socket.listen(server, place, local_peers(), config.listen.socket_open_to)
                settle_memory()
                welcome = StartupMessage(config=config, url=url, code=code, moved=url != config.listen.url)
                await show_welcome(services.evidence.log, services.policies, services.tools.registry, welcome)
                if wish.ready_file is not None:
                    _write_ready(wish.ready_file, url)

            await server.run_on(sock, ready)
    terminal.remark("the head of the evidence is signed; stopped")


def tls_context(config: Config) -> ssl.SSLContext | None:
    """Return the TLS context of the port if the configuration has one; raises `ConfigInvalid`."""
    section = config.listen.tls
    if section is None:
        return None
    from remit.cli.serve.tls import AskingContext, RenewedContext

    kind = AskingContext if section.client_certificates == "ask" else RenewedContext
    return kind(config.at(section.certificate), config.at(section.key))


def public_url(config: Config, sock: socket.socket, *, own: bool = False) -> str:
    """Return the address under which clients reach a socket; with `own` ignore a proxy in front of it."""
    listen = msgspec.structs.replace(config.listen, port=sock.getsockname()[1])
    return (msgspec.structs.replace(listen, public_url="") if own else listen).url


@contextmanager
def listening(config: Config, port: int | None) -> Iterator[socket.socket]:
    """Take the port before anything is opened: without the port a start is useless."""
    host, wanted = config.listen.host, config.listen.port if port is None else port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, wanted), family=family, backlog=2048)
    except (OSError, OverflowError) as fault:
        raise _not_listened(host, wanted, fault) from None
    with sock:
        sock.setblocking(False)
        yield sock


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


class Server(uvicorn.Server):
    """The HTTP server, whose signals are ours: after draining, the process is closed in order."""

    async def run_on(self, sock: socket.socket, ready: Callable[[], object]) -> None:
        """Serve on a socket until a signal arrives; await `ready` once connections are accepted."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self._stop)
        self.ready = ready
        try:
            await self._serve([sock])
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if self.should_exit:
            self.force_exit = True
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


def _write_ready(place: Path, url: str) -> None:
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode({"url": url, "pid": os.getpid()}) + b"\n")
    fresh.replace(place)
