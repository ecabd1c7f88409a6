# SPDX-License-Identifier: Apache-2.0
"""`remit paths`."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Switch, verb
from remit.cli.paths.mermaid import flowchart
from remit.cli.paths.report import ReachChoice, ReachReport
from remit.cli.paths.text import told
from remit.cli.serve.gc import settle_memory
from remit.compose import last_seen_tools, surveying_engine
from remit.config import load_bundle
from remit.config.credential_sources import credentials_of_upstreams
from remit.core.policy.reach import Openness
from remit.services.policy.reach import survey

app = verb("paths")

Origin = Annotated[str, Parameter(name="--from", negative=())]
Goal = Annotated[str, Parameter(name="--to", negative=())]
FAILS = {"open": Openness.OPEN, "asked": Openness.ASKED, "any": Openness.REFUSED}


@app.default
def paths(
    *,
    origin: Origin = "",
    goal: Goal = "",
    task: str = "",
    only: Literal["toxic", "effect", "disclosure"] | None = None,
    fail_on: Literal["open", "asked", "any"] | None = None,
    mermaid: Switch = False,
) -> int:
    """Show how data can flow under the bundle, and how open each path is, from the files alone.

    Nothing has to run for this. Toxic combinations come first: private data, untrusted content and an
    external effect in one task type, also if they only come together across agents. For each, the report
    states whether grants and policies leave it open, ask a person or refuse it, and the smallest change that
    breaks it. For example, run it with `--fail-on open` in CI: it stops the change that would let a web page
    mail your contracts out.

    Parameters
    ----------
    origin
        Only paths from here: a tool, an upstream, a zone, a data class or category, `untrusted`, or by way
        of a task type or an agent.
    goal
        Only paths to here: a tool, an upstream or a credential that opens it, an audience (`external`), an
        effect (`irreversible`), a task type or an agent.
    task
        Only paths in this task type.
    only
        Only paths of this kind: the toxic combination, untrusted content to an effect, or private data to
        an audience without clearance for it.
    fail_on
        Exit with 1 if one of these paths is open; with `asked` also if a person is asked, with `any`
        if there is any path at all.
    mermaid
        Print the paths as a Mermaid flowchart instead.
    """
    config = current().load_config()
    bundle = load_bundle(config)
    tools = {tool.id: tool for tool in last_seen_tools(config, bundle)}
    bundle = msgspec.structs.replace(bundle, tools=tools)
    settle_memory()
    observed = [name for name, upstream in config.upstreams.items() if upstream.observed]
    opens = credentials_of_upstreams(config.upstreams)
    found = survey(bundle, surveying_engine(config), config.groups, observed, opens)
    opened = {one.credential.name: one.upstreams for one in found.credentials}
    choice = ReachChoice(origin, goal, task, only or "", opened)
    choice.check(found, bundle)
    report = ReachReport(found, choice)
    if terminal.is_json():
        terminal.answer(report.wire())
    elif mermaid:
        sys.stdout.write(str(flowchart(report)))
    else:
        told(report)
    worst = report.worst()
    if fail_on is None or worst is None or worst > FAILS[fail_on]:
        return 0
    terminal.remark(f"fails on `{fail_on}`: {report.tally(FAILS[fail_on])}", style="red")
    return 1
