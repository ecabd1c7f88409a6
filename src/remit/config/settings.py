# SPDX-License-Identifier: Apache-2.0
"""The permitted content of `remit.yaml`: one frozen section per part. Schema and reference are generated from
these.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from remit.config.credentials.lease import LeaseSection
from remit.config.folders import placed
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import INTERNAL, MIB, Name, Seconds, Section, Size, Text, UpstreamName
from remit.config.sections.discovery import DiscoverySection
from remit.config.sections.environment import EnvironmentSection
from remit.config.sections.evidence import EvidenceSection
from remit.config.sections.governance import (
    AgentsSection,
    AnomaliesSection,
    ApprovalsSection,
    CeilingSection,
    CeilingsSection,
    PeopleSection,
    PoliciesSection,
)
from remit.config.sections.keys import KeysSection
from remit.config.sections.listen import ListenSection
from remit.config.sections.models import ModelsSection
from remit.config.sections.notify import AddresseeSection
from remit.config.sections.oauth import OAuthSection
from remit.config.sections.policy import PolicySection
from remit.config.sections.replica import ReplicaSection
from remit.config.sections.secret_sources import SecretsSection
from remit.config.sections.sign_in import SignInSection
from remit.config.sections.signals import SignalsSection
from remit.config.sections.store import StoreSection
from remit.config.sections.trust import TrustSection
from remit.config.sections.workload_api import WorkloadApiSection
from remit.config.telemetry import TelemetrySection
from remit.core.ids import DEFAULT_TENANT
from remit.core.label import Classes
from remit.core.tasks.ceiling import AuthorityCeiling, AuthorityCeilings
from remit.core.tools.tool import Tier

CONFIG_NAME: Final = "remit.yaml"


class LogHeadSection(Section, frozen=True, kw_only=True):
    """The place of the last signed size and root of the log, apart from the store."""

    kind: Annotated[Literal["file"], Meta(description="Kind of storage.")] = "file"
    path: Annotated[Text, Meta(description="Folder of the heads.")] = ".remit/head"


class ClassesSection(Section, frozen=True, kw_only=True):
    """The data classes of the organisation."""

    order: Annotated[tuple[Name, ...], Meta(min_length=1, description="The classes, lowest first.")] = (
        Classes().order
    )
    clearance: Annotated[
        dict[str, str] | None,
        Meta(description="The highest class that each audience may learn. Default: the lowest."),
    ] = None
    categories: Annotated[
        dict[str, tuple[Name, ...]],
        Meta(description="The categories that an audience may learn. Default: all but `secret`."),
    ] = {}
    within: Annotated[
        dict[str, str],
        Meta(
            description="The audience that a group is a part of: `{'group:team': internal}`. What is not "
            "listed for the group is as it is there."
        ),
    ] = {}


class ZoneSection(Section, frozen=True, kw_only=True):
    """A trust zone: a part of the world whose data is kept apart, such as a partner or a tenant."""

    meaning: Annotated[str, Meta(description="Description for people.")] = ""
    max_crossings: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Number of zones that a chain of calls may carry this zone's data into. Default: 3.",
        ),
    ] = None


class LimitsSection(Section, frozen=True, kw_only=True):
    """Limits on input, memory and waiting times."""

    max_request_bytes: Annotated[Size, Meta(description="Largest request from an agent.")] = MIB
    max_bodies_bytes: Annotated[
        Size,
        Meta(
            description="Most memory for requests in progress at all endpoints; one caller gets at most "
            "half of it. At least four times `max_request_bytes`."
        ),
    ] = 128 * MIB
    max_depth: Annotated[int, Meta(ge=4, le=256, description="Deepest nesting of a request's JSON.")] = 64
    max_result_bytes: Annotated[Size, Meta(description="Largest result of one call.")] = 64 * MIB
    max_buffered_bytes: Annotated[
        Size, Meta(description="Most memory for results in progress, all calls together.")
    ] = 256 * MIB
    max_calls_in_flight: Annotated[
        int, Meta(ge=1, description="Most concurrent calls; further calls are answered `busy`.")
    ] = 1024
    max_connections_per_address: Annotated[
        int,
        Meta(
            ge=1,
            description="Most open connections of one client address (IPv6: one /64). A further one takes "
            "the place of one without a request in progress, or is answered 503. `listen.proxies` are "
            "exempt.",
        ),
    ] = 512
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="Most open connections of all client addresses together, without `listen.proxies`; "
            "never more than the limit of open files leaves. A further one takes the place of one without a "
            "request in progress, or is answered 503.",
        ),
    ] = 8192
    max_calls_per_task: Annotated[int, Meta(ge=1, description="Most concurrent calls of one task.")] = 64
    call_timeout_s: Annotated[Seconds, Meta(ge=1, description="Longest wait for an upstream's answer.")] = 300
    approval_ttl_s: Annotated[
        Seconds, Meta(ge=1, description="How long an approval can be given and used.")
    ] = 900
    closure_wait_s: Annotated[
        Seconds,
        Meta(
            ge=0,
            le=60,
            description="How long an end waits for the revocation of upstream credentials; then its "
            "closure lists them as open, and revocation continues.",
        ),
    ] = 2
    proof_age_s: Annotated[
        Seconds,
        Meta(ge=5, le=600, description="Permitted clock difference of a DPoP proof, in either direction."),
    ] = 300
    token_ttl_s: Annotated[Seconds, Meta(ge=1, le=3600, description="Lifetime of an access token.")] = 300
    task_lease_s: Annotated[
        Seconds,
        Meta(ge=1, description="A task of a local relay ends when the relay has been silent for this long."),
    ] = 15
    secret_age_s: Annotated[
        Seconds,
        Meta(ge=3600, description="A standing secret that is older than this is a finding."),
    ] = 90 * 86400
    session_ttl_s: Annotated[Seconds, Meta(ge=60, description="How long a person stays signed in.")] = (
        12 * 3600
    )


class UpstreamSection(Section, frozen=True, kw_only=True):
    """One MCP server: either a `command` that speaks over stdio, or a `url`. With `openapi` the `url` is that
    of an HTTP API.
    """

    command: Annotated[
        tuple[Text, ...], Meta(description="Program and arguments, started without a shell.")
    ] = ()
    env: Annotated[
        dict[str, SecretRef],
        Meta(description="Environment of the program: literals, or secrets by name."),
    ] = {}
    arguments: Annotated[
        dict[Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], SecretRef],
        Meta(
            description="Values of `${NAME}` in `command`, put in when the program starts, or in the path "
            "and the query of `url`. Other users of the machine can read the arguments of a process; prefer "
            "`env` where the program reads it."
        ),
    ] = {}
    environment: Annotated[
        Literal["minimal", "inherit"],
        Meta(
            description="What the program gets beside `env`. `minimal`: PATH, HOME and LANG. `inherit`: all "
            "variables of remit, without remit's own and those that this file names as secrets."
        ),
    ] = "minimal"
    cwd: Annotated[Text, Meta(description="Working folder of the program.")] = "."
    url: Annotated[
        str,
        Meta(
            description="Address of a streamable HTTP endpoint; with `openapi`, the base address of the API."
        ),
    ] = ""
    openapi: Annotated[
        str,
        Meta(
            description="OpenAPI document (3.0 or 3.1; JSON or YAML) of the HTTP API at `url`, inside the "
            "folder of this file. Its operations are the tools; `servers` and `security` in it are not used."
        ),
    ] = ""
    headers: Annotated[
        dict[str, SecretRef],
        Meta(description="Headers of requests: literals, or secrets by name, such as `Bearer env:X`."),
    ] = {}
    lease: Annotated[
        LeaseSection | None,
        Meta(
            description="A separate credential for each task. `headers` are then used only for remit's "
            "own requests (its tool list), never for calls."
        ),
    ] = None
    per_task: Annotated[
        bool,
        Meta(
            description="Start the program for each task, and kill it when the task ends. Always the "
            "case with `lease`."
        ),
    ] = False
    max_processes: Annotated[
        int,
        Meta(ge=1, le=10_000, description="Most concurrent processes of tasks; further ones are refused."),
    ] = 32
    process_idle_s: Annotated[
        Seconds,
        Meta(
            ge=1,
            description="A task's process that no call has used for this long is ended with its "
            "credential; the next call starts another.",
        ),
    ] = 900
    process_lease_s: Annotated[
        Seconds,
        Meta(
            ge=1,
            le=300,
            description="A task's process is also killed when remit has not run for this long.",
        ),
    ] = 5
    apart: Annotated[
        Literal["where-possible", "required", "off"],
        Meta(
            description="Whether the program is prevented from reading other processes of its user "
            "(Landlock). `required`: it does not start if the machine does not support this. `off`: for "
            "a program that needs `setuid` programs, which get no extra rights otherwise."
        ),
    ] = "where-possible"
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for `url`.")] = ""
    mode: Annotated[
        Literal["enforce", "observe"],
        Meta(description="`observe` decides and records, and refuses nothing."),
    ] = "enforce"
    sender_constraint: Annotated[
        Literal["required", "optional"],
        Meta(
            description="`required`: calls of tier operator and above need a token that is bound to a "
            "key of the sender (DPoP or mTLS). `optional` removes that requirement; decisions and "
            "reports record it."
        ),
    ] = "required"

    @property
    def observed(self) -> bool:
        """Whether decisions are only recorded, not enforced."""
        return self.mode == "observe"

    @property
    def serves_one_task(self) -> bool:
        """Whether a separate program is started for each task."""
        return bool(self.command) and (self.per_task or self.lease is not None)


class ProgramsSection(Section, frozen=True, kw_only=True):
    """Settings of all programs that remit starts."""

    users: Annotated[
        tuple[int, ...],
        Meta(
            description="First and last of a range of unused user ids: each running program gets its "
            "own. Needs remit to run as root; without it programs run as remit's user."
        ),
    ] = ()


class EnforcementPointSection(Section, frozen=True, kw_only=True):
    """Another enforcement point, which asks remit (AuthZEN) and itself carries out what is permitted."""

    resources: Annotated[
        tuple[UpstreamName, ...],
        Meta(
            min_length=1,
            description="What it guards: its own types of resources, which `tools/` describes like an "
            "upstream's, or upstreams of remit.",
        ),
    ]
    agents: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Agents whose tasks it may ask about: names, `group:name`, or `*` for all.",
        ),
    ]
    vouches: Annotated[
        Literal["", "asserted", "shared-secret", "federated-bearer", "key-bound"],
        Meta(
            description="How well it authenticates its callers. With it, it may name a task, an agent "
            "or a person; without it, it must present the task's token."
        ),
    ] = ""
    sender_constraint: Annotated[
        Literal["required", "optional"],
        Meta(
            description="Whether its own token must be bound to a key (DPoP, mTLS) to ask for permits "
            "of tier operator and above."
        ),
    ] = "required"
    callbacks: Annotated[
        tuple[Text, ...],
        Meta(description="Addresses at which it may be told of the end of an access request."),
    ] = ()
    callback_secret: Annotated[
        SecretRef | None,
        Meta(
            description="Signing key of callbacks: `env:X` of `whsec_` and base64 of 24 to 64 random bytes."
        ),
    ] = None
    tls_ca: Annotated[
        str, Meta(description="File of the certificate authorities to trust for callbacks.")
    ] = ""
    private: Annotated[
        bool, Meta(description="Whether callbacks may go to an address of a private network.")
    ] = False


class GuardSection(Section, frozen=True, kw_only=True):
    """A coding assistant whose hooks ask remit; `remit guard install` writes this."""

    agent: Annotated[
        Name,
        Meta(
            description="The client as an agent; its subagents are the agent of this name with `-subagent`."
        ),
    ]
    person: Annotated[Name, Meta(description="The person whose client it is, and whose words are intent.")]
    secret_sha256: Annotated[
        str,
        Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, in hex, of the secret that the hooks carry."),
    ]
    task: Annotated[Name, Meta(description="The task type of its sessions, with a parameter `session`.")] = (
        "coding"
    )
    mode: Annotated[
        Literal["observe", "ask", "enforce"],
        Meta(
            description="What a refusal does: `observe` only records it, `ask` lets the client ask the "
            "person, `enforce` stops the call."
        ),
    ] = "ask"
    wait_s: Annotated[
        int,
        Meta(
            ge=0,
            le=600,
            description="In the mode `enforce`: seconds that a hook waits for an approver's answer. The "
            "hooks have time-outs for it (`remit guard install --wait`).",
        ),
    ] = 0
    permits: Annotated[
        Literal["silent", "allow"],
        Meta(
            description="Whether the client's own rules still apply to what remit permits (`silent`), or "
            "remit's permit is enough (`allow`)."
        ),
    ] = "silent"
    relays: Annotated[
        tuple[Name, ...],
        Meta(
            description="Agents as which the client reaches MCP servers through remit, beside `agent`: their "
            "tasks take on the label of what its sessions have read."
        ),
    ] = ("mcp-client",)
    settings: Annotated[
        Literal["user", "managed"],
        Meta(description="Which settings of the client hold the hooks: the user's, or the administrator's."),
    ] = "user"
    headless: Annotated[
        Literal["unknown", "person"],
        Meta(description="Whose words the prompts of runs without a terminal are."),
    ] = "unknown"


class AuthzenSection(Section, frozen=True, kw_only=True):
    """The answers to other enforcement points."""

    permit_ttl_s: Annotated[
        Seconds, Meta(ge=1, le=300, description="How long a permit for an enforcement point is valid.")
    ] = 5
    report_within_s: Annotated[
        Seconds, Meta(ge=1, le=86400, description="After this long, an unreported result is `unknown`.")
    ] = 300


class FunctionsSection(Section, frozen=True, kw_only=True):
    """Functions that an agent's own program carries out, under remit's decisions (`remit_sdk`)."""

    report_within_s: Annotated[
        Seconds,
        Meta(
            ge=1, le=86400, description="After this long, a call whose result was not reported is `unknown`."
        ),
    ] = 3600


class InitiativeSection(Section, frozen=True, kw_only=True):
    """A unit of an AI programme."""

    sponsor: Annotated[Text, Meta(description="The accountable person.")]
    description: Annotated[str, Meta(description="Purpose.")] = ""
    agents: Annotated[tuple[Name, ...], Meta(description="Its agents.")] = ()
    acts: Annotated[
        bool,
        Meta(
            description="The sponsor knows that its agents read data, call tools or trigger actions: "
            "`remit assess --fail-on crossing` does not stop at it."
        ),
    ] = False


#: Sections that `remit policy apply` reads again, and fields that are not sections.
_READ_ANEW: Final = frozenset(
    {"policy", "ceilings", "models", "tools", "tasks", "file", "file_sha256", "upstreams"}
)


def _changed_upstreams(here: dict[str, UpstreamSection], there: dict[str, UpstreamSection]) -> Iterator[str]:
    for name in dict.fromkeys((*here, *there)):
        mine, running = here.get(name), there.get(name)
        if mine is None or running is None or msgspec.structs.replace(mine, mode=running.mode) != running:
            yield f"upstreams.{name}"


class Config(Section, frozen=True, kw_only=True):
    """The configuration of remit. Paths are relative to the folder of the file."""

    tenant: Annotated[
        Name, Meta(description="The owner of the data; part of every key and of the log's origin.")
    ] = DEFAULT_TENANT
    listen: ListenSection = ListenSection()
    store: StoreSection = StoreSection()
    replica: ReplicaSection = ReplicaSection()
    keys: KeysSection = KeysSection()
    secrets: SecretsSection = SecretsSection()
    workload_api: Annotated[WorkloadApiSection | None, Meta(description="remit's own trust domain.")] = None
    log_head: LogHeadSection = LogHeadSection()
    policy: PolicySection = PolicySection()
    tools: Annotated[
        Text, Meta(description="Folder of tool descriptions, inside the folder of this file.")
    ] = "tools"
    tasks: Annotated[Text, Meta(description="Folder of task types, inside the folder of this file.")] = (
        "tasks"
    )
    classes: ClassesSection = ClassesSection()
    zones: Annotated[
        dict[Name, ZoneSection], Meta(description="The trust zones that labels may name, by name.")
    ] = {}
    directory: Annotated[
        dict[Text, str],
        Meta(
            description="The audience of addresses, by domain (`example.com: internal`), or by a whole "
            "address or name, which comes first."
        ),
    ] = {}
    environment: EnvironmentSection = EnvironmentSection()
    discovery: DiscoverySection = DiscoverySection()
    limits: LimitsSection = LimitsSection()
    programs: ProgramsSection = ProgramsSection()
    trust: TrustSection = TrustSection()
    signals: SignalsSection = SignalsSection()
    notify: Annotated[
        dict[Name, AddresseeSection], Meta(description="Receivers of notifications, by name.")
    ] = {}
    evidence: EvidenceSection = EvidenceSection()
    telemetry: TelemetrySection = TelemetrySection()
    sign_in: SignInSection = SignInSection()
    oauth: OAuthSection = OAuthSection()
    agents: AgentsSection = AgentsSection()
    anomalies: AnomaliesSection = AnomaliesSection()
    people: PeopleSection = PeopleSection()
    policies: PoliciesSection = PoliciesSection()
    approvals: ApprovalsSection = ApprovalsSection()
    ceilings: CeilingsSection = CeilingsSection()
    models: ModelsSection | None = None
    upstreams: Annotated[
        dict[UpstreamName, UpstreamSection],
        Meta(
            description="The governed servers, by name; at least one, unless there are `guards` or "
            "`functions`."
        ),
    ] = {}
    enforcement_points: Annotated[
        dict[Name, EnforcementPointSection],
        Meta(description="Registered agents that may ask for decisions (AuthZEN), by name."),
    ] = {}
    authzen: AuthzenSection = AuthzenSection()
    functions: Annotated[
        dict[UpstreamName, FunctionsSection],
        Meta(description="Functions of agents' own programs, by the name that owns their tools (`billing`)."),
    ] = {}
    guards: Annotated[
        dict[UpstreamName, GuardSection],
        Meta(description="Coding assistants under guard, by name (`claude-code`)."),
    ] = {}
    initiatives: Annotated[dict[Name, InitiativeSection], Meta(description="AI programmes, by name.")] = {}
    groups: Annotated[
        dict[Name, tuple[Text, ...]],
        Meta(description="Groups, by name: people, and agents as `agent:name`."),
    ] = {}
    file: Annotated[str, INTERNAL] = CONFIG_NAME
    file_sha256: Annotated[str, INTERNAL] = ""

    @property
    def folder(self) -> Path:
        """The folder that all paths are relative to."""
        return Path(self.file).parent

    def at(self, path: str) -> Path:
        """Return a path of the configuration, made absolute."""
        return placed(self.folder, path)

    @property
    def governed(self) -> tuple[str, ...]:
        """The possible owners of tools: upstreams, guarded clients, functions of agents, and what other
        enforcement points guard.
        """
        guarded = (name for point in self.enforcement_points.values() for name in point.resources)
        mapped = self.listen.ext_authz.resources if self.listen.ext_authz else ()
        return tuple(dict.fromkeys((*self.upstreams, *self.guards, *self.functions, *guarded, *mapped)))

    def waiting(self, running: Config) -> tuple[str, ...]:
        """Return the sections that differ from those of a running remit, and are read only at its start.

        Of the upstreams, name each one; the mode does not count, because a reload takes it over. Neither does
        the path of the policies, nor the port: `remit up --port` may have chosen another.
        """
        if self.file_sha256 == running.file_sha256:
            return ()
        listen = msgspec.structs.replace(self.listen, port=running.listen.port)
        mine = msgspec.structs.replace(self, listen=listen)
        sections = [
            name
            for name in self.__struct_fields__
            if name not in _READ_ANEW and getattr(mine, name) != getattr(running, name)
        ]
        if msgspec.structs.replace(self.policy, path=running.policy.path) != running.policy:
            sections.append("policy")
        return (*sections, *_changed_upstreams(self.upstreams, running.upstreams))

    @property
    def observed(self) -> frozenset[str]:
        """The upstreams in observe mode.

        A client that asks its person makes the call where the person says yes, whatever remit decided.
        """
        asking = (name for name, one in self.guards.items() if one.mode != "enforce")
        return frozenset((*(name for name, one in self.upstreams.items() if one.observed), *asking))

    @property
    def authority_ceilings(self) -> AuthorityCeilings:
        """The ceilings in the form of core."""

        def read(given: dict[str, CeilingSection]) -> dict[str, AuthorityCeiling]:
            return {name: AuthorityCeiling(Tier[one.tier.upper()], one.tools) for name, one in given.items()}

        told = self.ceilings
        return AuthorityCeilings(read(told.agents), read(told.owners), read(told.people))

    @property
    def data_classes(self) -> Classes:
        """The classes in the form of core, with the bounds of zones; by default the usual clearance."""
        order, clearance = self.classes.order, self.classes.clearance
        crossings = {
            name: zone.max_crossings for name, zone in self.zones.items() if zone.max_crossings is not None
        }
        categories = {name: frozenset(known) for name, known in self.classes.categories.items()}
        if clearance is None:
            if order == Classes().order:
                return Classes(crossings=crossings, categories=categories, within=self.classes.within)
            clearance = {"self": order[-1], "internal": order[max(0, len(order) - 2)], "external": order[0]}
        return Classes(order, clearance, crossings, categories, self.classes.within)
