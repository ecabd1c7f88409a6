# SPDX-License-Identifier: Apache-2.0
"""Tools, agents and requests of a plainly fictional company, for tests of policies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from remit.core.decisions.access_request import AccessRequest
from remit.core.identity.principals import Agent, AgentState, Principal
from remit.core.identity.workload import Assurance
from remit.core.label import Audience, Label
from remit.core.tasks.task import Intent, Parameter, Runbook, Task, TaskType
from remit.core.tools.tool import Effect, Tool
from remit.ports.policy import PolicySource

Json = Any

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
STRING = {"type": "string"}
TEMPLATES = Path(__file__).parents[2] / "src" / "remit" / "templates"
GUARDRAILS = TEMPLATES / "policies"


def tool(
    upstream: str,
    name: str,
    properties: dict[str, Json] | None = None,
    required: tuple[str, ...] = (),
    *,
    effect: Effect = Effect.NONE,
    audience: str = "internal",
    **more: Json,
) -> Tool:
    """A described tool with an input schema."""
    schema = {"type": "object", "properties": properties or {}, "required": list(required)}
    surface = {"name": name, "inputSchema": schema}
    return Tool(
        upstream=upstream,
        name=name,
        effect=effect,
        audience=Audience(audience),
        described=True,
        label=more.pop("label", Label()),
        surface=surface,
        **more,
    )


READ = tool("contracts", "read", {"path": STRING, "lines": {"type": "integer"}}, ("path",))
DRAFT = tool("changes", "draft", {"title": STRING, "body": STRING}, ("title",), effect=Effect.REVERSIBLE)
DEPLOY = tool(
    "changes", "deploy", {"change": STRING}, ("change",), effect=Effect.IRREVERSIBLE, production=True
)
PAY = tool(
    "bank",
    "pay",
    {"to": STRING, "amount": {"type": "number"}, "tags": {"type": "array", "items": STRING}},
    ("to", "amount"),
    effect=Effect.IRREVERSIBLE,
    audience="external",
    financial=True,
)
TOOLS = (READ, DRAFT, DEPLOY, PAY)

SUMMARISE = TaskType(
    name="summarise",
    purpose="legal-review",
    run_by=("clerk",),
    requested_by=("group:lawyers",),
    parameters={"contract": Parameter(), "pages": Parameter(type="integer", required=False)},
)

MEND = TaskType(
    name="mend",
    purpose="repair",
    run_by=("clerk",),
    requested_by=("agent:clerk",),
    runbook=Runbook(("bob",), ("carol",)),
)


def agent(name: str = "clerk", *groups: str, **more: Json) -> Agent:
    """An active agent of alice's."""
    fields: dict[str, Json] = {"owner": "alice", "purpose": "legal work", "state": AgentState.ACTIVE, **more}
    return Agent(tenant="house", name=name, groups=groups, created=NOON, created_by="alice", **fields)


CLERK = agent("clerk", "legal")


def request(
    of: Tool = READ, arguments: dict[str, Json] | None = None, by: Agent = CLERK, **more: Json
) -> AccessRequest:
    """A request as step 3 would describe it, with key-bound assurance and a clean label."""
    assurance = more.pop("assurance", Assurance.KEY_BOUND)
    params = more.pop("params", {})
    fields: dict[str, Json] = {
        "principal": Principal(tenant=by.tenant, agent=by.name, on_behalf_of="alice", assurance=assurance),
        "agent": by,
        "task": Task(
            tenant=by.tenant,
            id="task-1",
            type="summarise",
            agent=by.name,
            owner="alice",
            intent=Intent(goal="sum it up", params=params, requested_by="alice", stated_at=NOON),
            grants=(),
            opened=NOON,
            deadline=NOON,
        ),
        "tool": of,
        "arguments": {"path": "C-42"} if arguments is None else arguments,
        "grants": (),
        "tier": of.tier,
        "label": Label(),
        "cleared": True,
        "now": NOON,
        **more,
    }
    return AccessRequest(**fields)


def source(text: str, file: str = "policies/test.cedar") -> list[PolicySource]:
    """One policy file."""
    return [PolicySource(file, text)]


def guardrails() -> list[PolicySource]:
    """The guardrails that `remit init` copies."""
    return [PolicySource(f"policies/{path.name}", path.read_text()) for path in sorted(GUARDRAILS.iterdir())]


def rego_guardrails() -> list[PolicySource]:
    """The guardrails that `remit init --engine rego` copies."""
    folder = TEMPLATES / "rego"
    return [PolicySource(f"policies/{path.name}", path.read_text()) for path in sorted(folder.iterdir())]
