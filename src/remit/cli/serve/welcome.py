# SPDX-License-Identifier: Apache-2.0
"""The messages of `remit up` once it serves, and the first administrator's sign-in code."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

import remit
from remit.api.oauth.paths import ACCOUNT_PATH
from remit.cli.output import terminal
from remit.cli.output.tables import WIDE
from remit.config import Config
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.tools.tool import RESERVED_OPERATIONS, ToolState
from remit.services.evidence.log import Evidence
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.authenticator import CODE_TTL_S
from remit.services.identity.directory import NewPerson
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import AT_START
from remit.services.tools.pinned_tools import ToolCatalogue

FIRST_PERSON = "admin"
#: Not approver: the person who sets the rules should not also decide the approvals that the rules require.
#: A remit of one person has no other person who could (`people.first_approves`).
FIRST_ROLES = (Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR)


class SignInCode(NamedTuple):
    """A one-time code, and the person it is for."""

    person: str
    code: str


class StartupMessage(NamedTuple):
    """The content of the message. `moved`: the address differs from the one that other commands read in the
    configuration.
    """

    config: Config
    url: str
    code: SignInCode | None
    moved: bool


async def first_code(
    identity: IdentityServices, evidence: Evidence, code_for: str, *, approves: bool = False
) -> SignInCode | None:
    """Return a sign-in code for `code_for`, else for the first administrator until the first sign-in.

    With `approves`, a first administrator that is made here is an approver, too.
    """
    if code_for:
        person = await identity.directory.person(code_for)
        return SignInCode(person.name, await identity.personnel.code_at_start(person.name))
    if await evidence.pages(limit=1, kinds=(EventKind.PERSON_SIGNED_IN.value,)):
        return None
    administrators = [one for one in await identity.directory.people() if Role.ADMINISTRATOR in one.roles]
    if not administrators:
        roles = (*FIRST_ROLES, Role.APPROVER) if approves else FIRST_ROLES
        new = NewPerson(name=FIRST_PERSON, roles=roles)
        administrators = [await identity.directory.add_person(new, by=AT_START)]
    # Otherwise a first code that expired unused would lock out everyone for good.
    name = next((one.name for one in administrators if one.active), "")
    return SignInCode(name, await identity.authenticator.make_code(name, by=AT_START)) if name else None


async def show_welcome(
    evidence: Evidence, policies: Policies, registry: ToolCatalogue, welcome: StartupMessage
) -> None:
    """Report that remit serves: where, what, and under which rules."""
    head = await evidence.checkpoint()
    if terminal.is_json():
        terminal.answer(
            _for_programs(
                registry,
                welcome,
                bundle=policies.applied.digest,
                evidence={"size": head.size, "root": head.root.hex(), "verifier": evidence.verifier},
            )
        )
        return
    rows = Group(
        terminal.facts(
            [
                ("REST interface", f"{welcome.url}/api/v1"),
                ("MCP, all servers", f"{welcome.url}/mcp"),
                ("Workload API", _workload_api(welcome.config)),
                ("configuration", welcome.config.file),
                ("policy bundle in force", policies.applied.digest[: terminal.SHORT_DIGEST]),
                ("evidence", f"{head.size} events"),
            ]
        ),
        "",
        _Upstreams(registry, welcome),
    )
    title = Text.assemble((f"remit {remit.__version__}", "bold"), " is up")
    terminal.picture(
        Panel(rows, title=title, title_align="left", border_style="dim", padding=(1, 2), expand=False)
    )
    terminal.say("The public key of its evidence; keep a copy elsewhere:", style="dim")
    terminal.copyable(f"  {evidence.verifier}")
    _warn(welcome)
    if welcome.code is not None:
        _invite(welcome.code, welcome)
    if welcome.moved:
        terminal.copyable(f"For other commands:  export REMIT_URL={welcome.url}")
    terminal.say("Stop with Ctrl-C.", style="dim")


def _workload_api(config: Config) -> str:
    """Return the socket's address in the form of `SPIFFE_ENDPOINT_SOCKET`."""
    return f"unix://{config.at(config.workload_api.socket).absolute()}" if config.workload_api else ""


class _Upstreams:
    """The upstreams, each with its address, or only its path if the address does not fit."""

    def __init__(self, registry: ToolCatalogue, welcome: StartupMessage) -> None:
        self._registry, self._welcome = registry, welcome

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        made = _upstreams(self._registry, self._welcome, self._welcome.url)
        unbound = options.update(width=WIDE)
        if Measurement.get(console, unbound, made).maximum > options.max_width:
            made = _upstreams(self._registry, self._welcome, "")
        yield made

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, _upstreams(self._registry, self._welcome, self._welcome.url))


def _upstreams(registry: ToolCatalogue, welcome: StartupMessage, before: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("UPSTREAM", "MODE", "TOOLS", "MCP, THIS SERVER ALONE"):
        made.add_column(column, overflow="fold")
    for name, section in welcome.config.upstreams.items():
        mode = terminal.state("observe") if section.observed else terminal.text("enforce", "green")
        made.add_row(
            terminal.text(name, "bold"), mode, _tools(registry, name), terminal.text(f"{before}/mcp/{name}")
        )
    return made


def _tools(registry: ToolCatalogue, upstream: str) -> Text:
    if registry.catalogue(upstream) is None:
        return terminal.text("not reachable yet", "red")
    listed = (one for one in registry.of(upstream) if one.name not in RESERVED_OPERATIONS)
    tools = [one for one in listed if one.state is not ToolState.GONE]
    found = terminal.text(str(len(tools)))
    undescribed = sum(not one.described for one in tools)
    changed = sum(one.state is ToolState.CHANGED for one in tools)
    if undescribed:
        found.append(f", {undescribed} not described", "yellow")
    if changed:
        found.append(f", {changed} changed and suspended", "red")
    return found


def _warn(welcome: StartupMessage) -> None:
    observed = [name for name, section in welcome.config.upstreams.items() if section.observed]
    if observed:
        terminal.say(
            f"OBSERVE MODE at {', '.join(observed)}: everything is decided and recorded, and NOTHING IS "
            "REFUSED.",
            style="bold yellow",
        )
    bearers = [name for name, one in welcome.config.upstreams.items() if one.sender_constraint == "optional"]
    if bearers:
        terminal.say(
            f"At {', '.join(bearers)} a bearer token, even a stolen one, permits calls of every tier.",
            style="bold yellow",
        )
    if not _is_loopback(welcome.config.listen.host) and welcome.url.startswith("http:"):
        terminal.say(
            "Listening beyond this machine without TLS: add a TLS proxy and set listen.public_url.",
            style="bold yellow",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _invite(code: SignInCode, welcome: StartupMessage) -> None:
    terminal.say("")
    terminal.say(
        "Sign in as ",
        terminal.text(code.person, "bold"),
        f", once, from this machine, within {CODE_TTL_S // 60} minutes:",
    )
    terminal.copyable("  ", terminal.text(code.code, "bold"))
    terminal.say("Enter it when `remit login` asks for it,")
    terminal.say(f"or at {welcome.url}{ACCOUNT_PATH}, where you can add a passkey")
    terminal.say("")


def _for_programs(
    registry: ToolCatalogue, welcome: StartupMessage, *, bundle: str, evidence: dict[str, object]
) -> dict[str, object]:
    return {
        "url": welcome.url,
        "api": f"{welcome.url}/api/v1",
        "mcp": f"{welcome.url}/mcp",
        "bundle": bundle,
        "evidence": evidence,
        "upstreams": [
            {
                "name": name,
                "mode": section.mode,
                "reachable": registry.catalogue(name) is not None,
                "tools": len(registry.of(name)),
                "mcp": f"{welcome.url}/mcp/{name}",
            }
            for name, section in welcome.config.upstreams.items()
        ],
        "sign_in": welcome.code._asdict() if welcome.code else None,
    }
