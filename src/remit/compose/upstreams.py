# SPDX-License-Identifier: Apache-2.0
"""The upstreams of a configuration: MCP servers over either transport, and HTTP APIs."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from functools import partial

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.http_api.api import HttpApi
from remit.adapters.upstream.mcp.http import McpHttp
from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.adapters.upstream.mcp.task_processes import ProcessBroker, TaskProcesses
from remit.adapters.upstream.processes.marks import can_mark
from remit.adapters.upstream.processes.user_ids import UserIds
from remit.compose.programs import users_of
from remit.config import Config, UpstreamSection, references
from remit.core.errors import ConfigInvalid
from remit.core.policy.bundle import Bundle
from remit.core.tools.http_api import Api
from remit.ports.broker import Broker
from remit.ports.upstream import HttpUpstream, Upstream, offered
from remit.services.credentials.leases import Leases
from remit.services.credentials.scrubbing import cleaned
from remit.services.endings.events import EndEvents
from remit.services.endings.idle_programs import IdlePrograms
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.assembly import ToolServices

OnState = Callable[[str, bool, str], None]
#: The prefix of remit's own variables, some of them secrets.
OWN_VARIABLES = "REMIT_"
#: How long a process of an ended task may take to exit once it is asked to.
GRACE_S = 0.25


def upstreams_of(config: Config, bundle: Bundle, on_state: OnState) -> dict[str, Upstream]:
    """Return the adapters of all upstreams by name; raises `ConfigInvalid`."""
    bound = BufferBound(config.limits.max_buffered_bytes)
    users = users_of(config)
    return {
        name: upstream_of(name, section, config, bound, on_state, bundle.apis.get(name), users)
        for name, section in config.upstreams.items()
    }


def upstream_of(
    name: str,
    section: UpstreamSection,
    config: Config,
    bound: BufferBound,
    on_state: OnState,
    api: Api | None = None,
    users: UserIds | None = None,
) -> Upstream:
    """Return the adapter of one upstream.

    `api` are its routes if it is an HTTP API, `users` the user ids of programs, which all upstreams share.
    """
    limits = config.limits
    if section.serves_one_task:
        return _task_processes(name, section, config, bound, on_state, users)
    if not section.url:
        return _stdio(name, section, config, bound, on_state, users)
    tls = _tls(section, config)
    if api is not None:
        return HttpApi(
            name,
            _filled((section.url,), section)[0],
            api,
            bound=bound,
            max_result_bytes=limits.max_result_bytes,
            call_timeout_s=limits.call_timeout_s,
            tls=tls,
            on_state=on_state,
        )
    return McpHttp(
        name,
        _filled((section.url,), section)[0],
        entropy=SystemEntropy(),
        bound=bound,
        headers={key: ref.resolve() for key, ref in section.headers.items()},
        max_result_bytes=limits.max_result_bytes,
        call_timeout_s=limits.call_timeout_s,
        ssl_context=tls() if tls is not None else None,
        on_state=on_state,
    )


def _tls(section: UpstreamSection, config: Config) -> Callable[[], ssl.SSLContext] | None:
    """Return a factory of TLS contexts that verify a server; `None` if its address has no TLS."""
    if not section.url.startswith("https:"):
        return None
    trusted = str(config.at(section.tls_ca)) if section.tls_ca else None
    return lambda: ssl.create_default_context(cafile=trusted)


def starters_of(upstreams: Mapping[str, Upstream]) -> dict[str, Broker]:
    """Return the brokers that start processes for tasks, for upstreams that are such processes."""
    return {name: ProcessBroker(one) for name, one in upstreams.items() if isinstance(one, TaskProcesses)}


def idle_programs_of(config: Config, leases: Leases, live: LiveTasks, events: EndEvents) -> IdlePrograms:
    """Return the service that ends unused programs of tasks; closures report their number."""
    after_s = {
        name: float(one.process_idle_s) for name, one in config.upstreams.items() if one.serves_one_task
    }
    return IdlePrograms(leases, live, events, after_s)


def _stdio(
    name: str,
    section: UpstreamSection,
    config: Config,
    bound: BufferBound,
    on_state: OnState,
    users: UserIds | None,
) -> McpStdio:
    return McpStdio(
        name,
        _filled(section.command, section),
        entropy=SystemEntropy(),
        bound=bound,
        env=_environment(section, config, users),
        cwd=str(config.at(section.cwd)),
        max_result_bytes=config.limits.max_result_bytes,
        on_state=on_state,
        clean=partial(cleaned, secrets=_secrets(section)),
        apart=section.apart,
        users=users,
    )


def _secrets(section: UpstreamSection) -> tuple[str, ...]:
    given = (*section.env.values(), *section.arguments.values())
    return tuple(ref.resolve() for ref in given if ref.secret)


def _filled(words: tuple[str, ...], section: UpstreamSection) -> tuple[str, ...]:
    """Return words of a command, or an address, with the values of the arguments."""
    values = {f"${{{name}}}": ref.resolve() for name, ref in section.arguments.items()}
    if not values:
        return words
    # One pass: a value that looks like a name is not replaced again.
    names = re.compile("|".join(re.escape(name) for name in values))
    return tuple(names.sub(lambda found: values[found[0]], word) for word in words)


def _environment(section: UpstreamSection, config: Config, users: UserIds | None) -> dict[str, str]:
    """Return the variables of a program; never remit's own, nor a secret of another upstream."""
    given = {key: ref.resolve() for key, ref in section.env.items()}
    if section.environment == "minimal":
        return given
    hidden = {ref.name for _, ref in references(config) if ref.scheme == "env"}
    # A program with a separate user gets a separate home.
    hidden |= {"HOME"} if users is not None else set()
    around = {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and not name.upper().startswith(OWN_VARIABLES)
    }
    return around | given


def _task_processes(
    name: str,
    section: UpstreamSection,
    config: Config,
    bound: BufferBound,
    on_state: OnState,
    users: UserIds | None,
) -> TaskProcesses:
    if not can_mark():
        raise ConfigInvalid(
            f"upstream `{name}` cannot have a process for each task on this system: only Linux can prove "
            "that all its processes have ended",
            key=f"upstreams.{name}.per_task",
            remediation="run remit on Linux, or let one process serve all tasks",
        )

    def make(env: Mapping[str, str], secrets: tuple[str, ...]) -> McpStdio:
        return McpStdio(
            name,
            _filled(section.command, section),
            entropy=SystemEntropy(),
            bound=bound,
            env={**_environment(section, config, users), **env},
            cwd=str(config.at(section.cwd)),
            max_result_bytes=config.limits.max_result_bytes,
            grace_s=GRACE_S,
            patience_s=0.0,
            lease_s=section.process_lease_s,
            clean=partial(cleaned, secrets=(*secrets, *_secrets(section))),
            apart=section.apart,
            users=users,
        )

    return TaskProcesses(
        name, _stdio(name, section, config, bound, on_state, users), make, limit=section.max_processes
    )


async def offer_apis(policies: Policies, tools: ToolServices, upstreams: Mapping[str, Upstream]) -> None:
    """Let HTTP APIs offer the operations that the bundle in force describes.

    INVARIANT: a changed operation is suspended before anything is read or written by its new document.
    """
    apis = policies.applied.bundle.apis
    for name, upstream in upstreams.items():
        if isinstance(upstream, HttpUpstream) and (api := apis.get(name)) and api is not upstream.api:
            changed = await tools.registry.learned(name, offered(api, name))
            upstream.offer(api)
            tools.announcements.changed(name, changed)
