# SPDX-License-Identifier: Apache-2.0
"""`remit status`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from rich.text import Text

from remit.cli.doctor.certificate import expiry_check
from remit.cli.doctor.checks import ask_health, running_looks
from remit.cli.evidence.time_bounds import time_of
from remit.cli.global_options import current
from remit.cli.instance import Instance, running
from remit.cli.output import terminal
from remit.cli.parser import verb
from remit.cli.rest_client import Client, Unreachable
from remit.cli.session_file import session_for
from remit.core.errors import Forbidden, Unauthenticated
from remit.core.json_value import Json

app = verb("status")


class StatusProblem(NamedTuple):
    """Something that needs attention; `state` is `fail` or `note`."""

    state: str
    says: str
    remediation: str = ""


@app.default
def status() -> int:
    """Show whether remit runs, and what needs attention: upstreams, open work, today's calls, problems.

    Exits 3 if no remit runs for this configuration. The process is shown to the user who runs it; the rest
    needs a sign-in. `remit doctor` checks more, and takes longer. For example, look here first when an agent
    reports that it cannot work.
    """
    found, other = _instance()
    elsewhere = os.environ.get("REMIT_URL", "").rstrip("/")
    if elsewhere and found is not None and found.url not in ("", elsewhere):
        found = None
    base_url = elsewhere or (found.url if found else _configured())
    answer = ask_health(base_url) if base_url else None
    if found is None and not elsewhere:
        return _absent(base_url, other, answers=answer is not None)
    told, unseen = _told(base_url)
    problems = [
        *(StatusProblem(one.state, one.says, one.remediation) for one in running_looks(base_url, answer)),
        *(_problems(told) if told else ()),
    ]
    problems = [one for one in problems if one.state != "ok"]
    if terminal.is_json():
        process = found.facts if found else {"running": answer is not None, "url": base_url}
        terminal.answer(
            process | {"service": told, "unseen": unseen, "problems": [one._asdict() for one in problems]}
        )
    else:
        _show(found, base_url, told, problems, unseen)
    return 0 if answer is not None else 3


def _instance() -> tuple[Instance | None, Forbidden | None]:
    """Return the running instance; or why this user cannot see it."""
    try:
        return running(current().config_file), None
    except Forbidden as fault:
        return None, fault


def _configured() -> str:
    """Return the address of the configuration; empty without one."""
    path = current().config_file
    return current().base_url() if path.is_file() else ""


def _told(base_url: str) -> tuple[Json | None, str]:
    """Return what remit says of itself to this person; or why it does not."""
    since = time_of("today", "")
    try:
        client = Client(base_url, session_for(base_url))
        return client.get("service", since=since.isoformat() if since else None), ""
    except (Unauthenticated, Forbidden, Unreachable) as fault:
        return None, str(fault)


def _absent(base_url: str, other: Forbidden | None, *, answers: bool) -> int:
    config = current().config_file
    if other is not None:
        says, remediation = other.message, other.remediation
    elif answers or (base_url and _taken(base_url)):
        says = f"no remit runs for {config}; another program listens at {base_url}"
        remediation = "stop that program, or choose another `listen.port`"
    else:
        says, remediation = f"no remit runs for {config}", "start it with `remit up`"
    if terminal.is_json():
        terminal.answer({"running": False, "config": str(config), "says": says, "remediation": remediation})
    else:
        terminal.say(terminal.text("not running", "bold"), f": {says}")
        terminal.say(remediation, style="dim")
    return 3


def _taken(base_url: str) -> bool:
    from remit.cli.doctor.check import no_connection

    return urlsplit(base_url).scheme in ("http", "https") and not no_connection(base_url)


def _problems(told: Json) -> Iterator[StatusProblem]:
    for one in told["upstreams"]:
        name = one["name"]
        if one["reachable"] is False:
            why = f": {one['why']}" if one["why"] else ""
            yield StatusProblem("fail", f"`{name}` is not reachable{why}", "see `remit logs`")
        if one["changed"]:
            tools = terminal.counted(one["changed"], "tool")
            yield StatusProblem(
                "note",
                f"{tools} of `{name}` changed and suspended",
                "see `remit tool list`, `remit tool diff`",
            )
        if one["undescribed"] and one["mode"] == "enforce":
            tools = terminal.counted(one["undescribed"], "tool")
            yield StatusProblem(
                "note",
                f"{tools} of `{name}` without a description: the worst is assumed of them",
                "see `remit tool suggest`",
            )
    if told["findings"]:
        yield StatusProblem(
            "note", terminal.counted(told["findings"], "open finding"), "see `remit finding list`"
        )
    for one in told["guards"]:
        if one["fault"]:
            says = f"a hook of `{one['name']}` was refused: {one['fault']}"
            yield StatusProblem("note", says, "see `remit guard status`")
    files = told["files"]
    if files["broken"]:
        yield StatusProblem(
            "fail", f"the files could not be loaded now: {files['broken']}", files["remediation"]
        )
    if certificate := files["certificate"]:
        expiry = expiry_check(
            certificate["file"], datetime.fromisoformat(certificate["expires"]), datetime.now(UTC)
        )
        yield StatusProblem(expiry.state, expiry.says, expiry.remediation)
        if certificate["fault"]:
            says = f"the certificate of the port stays as it was: {certificate['fault']}"
            yield StatusProblem("fail", says, "put the right files there; they are used at once")
    if files["bundle"] or files["modes"]:
        what = [
            *(["policy bundle"] if files["bundle"] else []),
            *(f"mode of `{one}`" for one in files["modes"]),
        ]
        yield StatusProblem(
            "note", f"changed in the files, not in force: {', '.join(what)}", "run `remit reload`"
        )
    if files["waiting"]:
        names = ", ".join(f"`{one}`" for one in files["waiting"])
        yield StatusProblem("note", f"changed in remit.yaml, not in force: {names}", "run `remit restart`")


def _show(
    found: Instance | None, base_url: str, told: Json | None, problems: list[StatusProblem], unseen: str
) -> None:
    title = Text.assemble(("remit", "bold"))
    version = told["version"] if told else found.version if found else ""
    if version:
        title.append(f" {version}")
    failing = any(one.state == "fail" for one in problems)
    if found is not None and not found.url:
        title.append("  starting", "yellow")
    else:
        title.append("  needs attention" if failing else "  running", "bold red" if failing else "green")
    terminal.say(title)
    since = found.since if found else told["started"] if told else None
    pairs: list[tuple[str, object]] = [("at", base_url), ("since", terminal.moment(since))]
    if found is not None:
        how = " in the background" if found.background else ""
        workers = f", {found.workers} workers" if found.workers else ""
        pairs += [("process", f"{found.pid}{how}{workers}"), ("configuration", found.config)]
    if told:
        pairs += _work(told)
    terminal.picture(terminal.facts(pairs))
    if told:
        terminal.say("")
        terminal.table(
            ("UPSTREAM", "MODE", "TOOLS", "STATE"), map(_upstream, told["upstreams"]), empty="no upstreams"
        )
    for number, one in enumerate(problems):
        if not number:
            terminal.say("")
        mark = terminal.text("! ", "bold red") if one.state == "fail" else terminal.text("- ", "yellow")
        remediation = terminal.text(f"; {one.remediation}" if one.remediation else "", "dim")
        terminal.copyable(mark, one.says, remediation)
    if unseen:
        terminal.say("")
        terminal.say(f"Upstreams, tasks and figures are not shown: {unseen}", style="dim")


def _work(told: Json) -> Iterator[tuple[str, object]]:
    calls = told["calls"]
    yield "open tasks", str(told["tasks"])
    waiting = told["approvals"]
    yield (
        "approvals",
        terminal.text(
            f"{waiting} waiting; see `remit approvals`" if waiting else "none waiting",
            "bold yellow" if waiting else "",
        ),
    )
    parts = [f"{calls['calls']} calls"]
    parts += [
        f"{calls[name]} {word}"
        for name, word in (
            ("refused", "refused"),
            ("asked", "asked a person"),
            ("observed", "would have been refused"),
            ("failed", "failed"),
        )
        if calls[name]
    ]
    yield "today", ", ".join(parts) + ("" if calls["complete"] else ", and more")
    for one in told["guards"]:
        life = terminal.text("last event ").append(
            terminal.moment(one["last"]) if one["last"] else "none yet"
        )
        open_ = terminal.counted(one["sessions"], "open session")
        held = one["mode"] if one["holding"] == "observed" else f"{one['mode']}, {one['holding']}"
        yield "under guard", terminal.text(f"{one['name']} ({held}), {open_}, ").append(life)
    if told["tool_lists"]["tasks"]:
        yield "tool lists", _lists(told["tool_lists"])


def _lists(sizes: Json) -> str:
    """Return what a task's tool list weighs beside the full one; a token of JSON is about four bytes."""
    shown, offered = (sizes[name] / sizes["tasks"] for name in ("shown_bytes", "offered_bytes"))
    spared = round((offered - shown) / 4, -2)
    weight = f"{shown / 1000:.1f} of {offered / 1000:.1f} kB for each task"
    return f"{weight}, about {spared:,.0f} tokens fewer" if spared > 0 else weight


def _upstream(one: Json) -> tuple[object, ...]:
    mode = terminal.state("observe") if one["mode"] == "observe" else terminal.text("enforce", "green")
    tools = terminal.text(one["tools"])
    if one["undescribed"]:
        tools.append(f", {one['undescribed']} not described", "yellow")
    if one["changed"]:
        tools.append(f", {one['changed']} suspended", "red")
    if one["reachable"] is False:
        return one["name"], mode, tools, terminal.text(f"not reachable: {one['why']}", "red")
    state = "not called yet" if one["reachable"] is None else "reachable"
    return one["name"], mode, tools, terminal.text(state, "dim")
