# SPDX-License-Identifier: Apache-2.0
"""The bundle under which the bench has remit decide: the guardrails that ship, and policies of a whole site.

A hundred policies, of which about ten can speak of the call that is measured: the others are about other
tools and other agents, as they are in any organisation that has more than one of each.
"""

from importlib.resources import files
from pathlib import Path

#: Policies of one file; a file has a greatest size.
PER_FILE = 1_000
POLICIES = 100
AGENT = "bench-bot"
UPSTREAM = "echo"
TASK_TYPE = "echo-text"

_TOOLS = {
    "crm": ("read_account", "list_accounts", "update_account", "merge_accounts", "export_segment"),
    "mail": ("read_thread", "search", "send", "reply", "forward"),
    "pay": ("read_invoice", "list_payments", "refund", "pay_invoice", "change_payee"),
}
_EFFECTS = {
    "read": "none", "list": "none", "search": "none", "update": "reversible", "merge": "reversible",
    "change": "reversible", "export": "irreversible", "send": "irreversible", "reply": "irreversible",
    "forward": "irreversible", "refund": "irreversible", "pay": "irreversible",
}  # fmt: skip

_ECHO_TOOLS = """\
# SPDX-License-Identifier: Apache-2.0
upstream: echo
tools:
  echo:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments:
      text: {role: content}
    record: "echo/{text}"
  read:
    effect: none
    audience: internal
    labels: {class: internal, trust: untrusted}
    arguments:
      name: {role: selector}
  write:
    effect: reversible
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments:
      text: {role: content}
"""
_TASK = f"""\
# SPDX-License-Identifier: Apache-2.0
task: {TASK_TYPE}
purpose: Have texts given back
run_by: [{AGENT}]
requested_by: [group:staff]
deadline: 24h
budgets: {{calls: 100000000}}
grants:
  - tool: echo/echo
    arguments:
      text: {{pattern: "call [0-9]{{8}} [a-z ]{{1,60}}"}}
  - tool: echo/read
    arguments:
      name: {{pattern: "[a-z]{{1,20}}-[0-9]{{1,9}}-[0-9]{{1,9}}"}}
  - tool: echo/write
    arguments:
      text: {{pattern: "Note [0-9]{{1,9}}: [A-Za-z., ]*"}}
"""
# What the site says of the tool and the agent that are measured, beside the guardrails.
_OWN = f"""\
@id("site/echo-length")
@reason("`{{tool}}` takes short texts")
forbid (principal, action == Action::"echo/echo", resource)
when {{ context.args has text && context.args.text like "*BEGIN PRIVATE KEY*" }};

@id("site/echo-environments")
@reason("`{{tool}}` is for agents of known environments")
forbid (principal, action in Action::"call", resource in Upstream::"echo")
when {{ principal.environment == "retired" || principal.environment == "quarantine" }};

@id("site/{AGENT}-work")
@reason("this agent runs one kind of task")
forbid (principal == Agent::"{AGENT}", action in Action::"call", resource)
unless {{ context.task.type == "{TASK_TYPE}" }};

@id("site/staff-restricted")
@reason("restricted data stays where it is")
forbid (principal in Group::"bots", action in Action::"call", resource)
when {{ context.label.class == "restricted" && resource.audience == "external" }};
"""


#: The variable that holds the database's address, where state is kept in PostgreSQL.
DATABASE = "BENCH_DATABASE"


def remit_yaml(
    upstream_url: str, port: int, durability: str, kind: str, lease: str, listens: str = ""
) -> str:
    """The configuration: four upstreams, which are all the same echo server; `lease` is for the first."""
    place = f"kind: postgres, url: env:{DATABASE}, " if kind == "postgres" else ""
    leased = f", lease: {lease}" if lease else ""
    # The load generator does not sign: what a proof of the sender costs is measured by `bench.senders`.
    upstreams = f"  {UPSTREAM}: {{url: '{upstream_url}', sender_constraint: optional{leased}}}\n"
    upstreams += "\n".join(f"  {name}: {{url: '{upstream_url}'}}" for name in _TOOLS)
    return (
        "# SPDX-License-Identifier: Apache-2.0\n"
        f"upstreams:\n{upstreams}\n"
        f"listen: {{port: {port}{', ' if listens else ''}{listens}}}\n"
        f"store: {{{place}durability: {durability}}}\n"
        "limits: {token_ttl_s: 1h}\n"
        f"groups: {{staff: [ana], bots: ['agent:{AGENT}']}}\n"
    )


def write_bundle(
    folder: Path,
    upstream_url: str,
    port: int,
    durability: str,
    kind: str = "sqlite",
    lease: str = "",
    policies: int = POLICIES,
    listens: str = "",
) -> Path:
    """Write the bundle with so many policies; gives the path of its `remit.yaml`."""
    for name in ("policies", "tools", "tasks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = folder / "remit.yaml"
    config.write_text(remit_yaml(upstream_url, port, durability, kind, lease, listens), "utf-8")
    (folder / "tools" / "echo.yaml").write_text(_ECHO_TOOLS, "utf-8")
    for upstream, tools in _TOOLS.items():
        (folder / "tools" / f"{upstream}.yaml").write_text(_tools_file(upstream, tools), "utf-8")
    (folder / "tasks" / "echo.yaml").write_text(_TASK, "utf-8")
    shipped = 0
    for source in files("remit.templates").joinpath("policies").iterdir():
        text = source.read_text("utf-8")
        shipped += text.count("@id(")
        (folder / "policies" / source.name).write_text(text, "utf-8")
    (folder / "policies" / "50-site.cedar").write_text(_OWN, "utf-8")
    others = _others(policies - shipped - _OWN.count("@id("))
    for start in range(0, len(others), PER_FILE):
        name = f"60-others-{start}.cedar"
        (folder / "policies" / name).write_text("\n".join(others[start : start + PER_FILE]), "utf-8")
    return config


def _tools_file(upstream: str, tools: tuple[str, ...]) -> str:
    lines = ["# SPDX-License-Identifier: Apache-2.0", f"upstream: {upstream}", "tools:"]
    for tool in tools:
        effect = _EFFECTS[tool.partition("_")[0]]
        lines += [f"  {tool}:", f"    effect: {effect}", "    audience: internal"]
        lines += ["    labels: {class: confidential, trust: trusted}"]
    return "\n".join(lines) + "\n"


def _others(count: int) -> list[str]:
    """Policies about other tools and other agents, in the forms that such policies have."""
    tools = [f"{upstream}/{tool}" for upstream, own in _TOOLS.items() for tool in own]
    out = []
    for number in range(count):
        tool, agent = tools[number % len(tools)], f"desk-bot-{number % 23}"
        scope, condition = (
            (f'principal == Agent::"{agent}", action == Action::"{tool}", resource', "!context.cleared"),
            (f'principal, action == Action::"{tool}", resource', 'context.label.categories.contains("pii")'),
            (f'principal in Group::"desk-{number % 7}", action == Action::"{tool}", resource',
             'principal.environment != "production" && context.tier_level >= 3'),
            (f'principal == Agent::"{agent}", action in Action::"call", resource',
             f'context.task.type == "desk-{number}" && context.label.untrusted'),
        )[number % 4]  # fmt: skip
        out.append(
            f'@id("site/other-{number}")\n@reason("`{{tool}}` is not for this work")\n'
            f"forbid ({scope})\nwhen {{ {condition} }};\n"
        )
    return out
