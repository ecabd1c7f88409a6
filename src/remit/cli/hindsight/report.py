# SPDX-License-Identifier: Apache-2.0
"""The report of `remit hindsight`: exact for programs, short sections for people."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
from rich.padding import Padding
from rich.panel import Panel

from remit.cli.hindsight.account import Account, Stopped
from remit.cli.hindsight.client_config import Configured
from remit.cli.hindsight.prompts import Prompts
from remit.cli.hindsight.survey import Survey
from remit.cli.hindsight.transcript_files import FoundFiles
from remit.cli.output import terminal
from remit.core.credentials.known_secrets import FoundSecret
from remit.core.json_value import Json
from remit.core.transcripts.turns import WordsOrigin

TOP: Final = 12
TOP_STOPPED: Final = 8
_READ_BY: Final = {
    "claude-code": "Claude Code",
    "codex": "Codex",
    "gemini-cli": "Gemini CLI",
    "cursor": "Cursor",
}


class Hindsight(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run found."""

    account: Account
    prompts: Prompts
    configured: Configured
    found: FoundFiles
    survey: Survey
    patch: str

    @property
    def asked_by_remit(self) -> int:
        """How many calls remit would have asked a person about."""
        return self.account.questions.total()


def wire(made: Hindsight) -> Json:
    """Return the exact report."""
    account = made.account
    return {
        "read": _read(made),
        "sessions": dict(account.sessions),
        "subagents": account.subagents,
        "messages": {one.value: account.words[one] for one in WordsOrigin},
        "did": {
            "calls": account.calls,
            "tools": _ranked(account.tools),
            "programs": _ranked(account.programs),
            "unparsed_commands": account.unparsed,
            "hosts": _ranked(account.hosts),
            "secret_files": _ranked(account.secret_files),
            "outside_paths": _ranked(account.outside),
            "mcp_servers": _ranked(account.servers),
        },
        "reach": {
            "servers": [msgspec.to_builtins(one) for one in made.configured.servers],
            "allow_rules": sum(len(one.allow) for one in made.configured.rules.values()),
            "broad_rules": sorted({rule for one in made.configured.rules.values() for rule in one.broad}),
            "policies": dict(made.configured.policies),
            "unreadable": list(made.configured.unreadable),
        },
        "questions": _asked(made),
        "decisions": {
            "permitted": account.permitted,
            "asked": made.asked_by_remit,
            "stopped": account.stopped_calls,
            "stopped_sessions": len(account.stopped_sessions),
            "stopped_by_rule": _ranked(account.rules),
        },
        "stopped": [msgspec.to_builtins(one) for one in account.stopped],
        "secrets": [_secret(one.found, one.times, one.where, one.session) for one in account.secrets.values()]
        + [_secret(one, 1, place, "") for place, one in made.configured.secrets],
        "patch": made.patch,
    }


def _read(made: Hindsight) -> Json:
    account = made.account
    return {
        "files": account.files,
        "bytes": account.size_bytes,
        "lines": account.lines,
        "unreadable_lines": account.unreadable,
        "unreadable_files": account.unreadable_files + made.found.unreadable,
        "links_passed_over": made.found.links,
        "too_many_files": made.found.too_many,
        "repeated_entries": account.repeated,
        "texts_cut": account.cut,
        "results_without_call": account.stray_results,
        "calls_without_result": account.unfinished,
    }


def _asked(made: Hindsight) -> Json:
    prompts = made.prompts
    clients = {
        "rejected_by_person": prompts.rejected,
        "refused_by_client": prompts.refused,
        "derived_at_least": prompts.least,
        "derived_at_most": prompts.most,
        "unknown_calls": prompts.unknown,
        "modes": dict(prompts.modes),
    }
    return {
        "clients": clients,
        "remit": {"asked": made.asked_by_remit, "by_rule": _ranked(made.account.questions)},
    }


def _secret(found: FoundSecret, times: int, where: str, session: str) -> Json:
    return {
        "kind": found.kind,
        "fingerprint": found.fingerprint,
        "begins": found.shown,
        "times": times,
        "first_seen_in": where,
        "session": session,
    }


def told(made: Hindsight) -> None:
    """Show the report to a person."""
    _head(made)
    _did(made.account)
    _reach(made.configured, made.account)
    _questions(made)
    _stopped(made.account)
    _secrets(made)
    _next(made)


def _ranked(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0])))


def _top(counted: Counter[str], count: int = TOP) -> str:
    ranked = list(_ranked(counted).items())
    shown = ", ".join(f"{name} {times}" for name, times in ranked[:count])
    return f"{shown} and {len(ranked) - count} more" if len(ranked) > count else shown


def _section(title: str) -> None:
    terminal.say("")
    terminal.say(title, style="bold")


def _head(made: Hindsight) -> None:
    account = made.account
    sessions = ", ".join(f"{_READ_BY[name]} {count}" for name, count in sorted(account.sessions.items()))
    rows: list[tuple[str, object]] = [
        ("sessions", sessions or "none with a call"),
        ("subagents", account.subagents or ""),
        ("calls", f"{account.calls:,}"),
        ("read", f"{terminal.counted(account.files, 'transcript')}, {account.size_bytes / 1e6:.1f} MB"),
        ("passed over", _passed(made)),
    ]
    stopped = account.stopped_calls
    verdict = f"{account.permitted:,} permitted, {made.asked_by_remit:,} asked about, {stopped:,} stopped"
    rows.append(("remit would have", verdict))
    title = terminal.text("hindsight", "bold")
    terminal.picture(
        Panel(terminal.facts(rows), title=title, title_align="left", border_style="dim", expand=False)
    )
    terminal.say("Offline: nothing was changed, started or sent.", style="dim")


def _passed(made: Hindsight) -> str:
    account = made.account
    parts = [
        (account.unreadable, "unreadable line"),
        (account.unreadable_files + made.found.unreadable, "unreadable file"),
        (made.found.links, "symbolic link"),
        (account.stray_results, "result without a call"),
        (account.unfinished, "call without a result"),
    ]
    return ", ".join(
        f"{count} {what}" if count == 1 or " w" in what else terminal.counted(count, what)
        for count, what in parts
        if count
    )


def _did(account: Account) -> None:
    _section("What they did")
    clients = {name.partition("/")[0] for name in account.tools}
    tools: Counter[str] = Counter()
    for name, count in account.tools.items():
        tools[name if len(clients) > 1 else name.partition("/")[2]] += count
    rows: list[tuple[str, object]] = [
        ("tools", _top(tools)),
        ("programs", _top(account.programs)),
        ("hosts", _top(account.hosts)),
        ("MCP servers", _top(account.servers)),
        ("secret files", _top(account.secret_files, 6)),
        ("outside the project", _top(account.outside, 6)),
    ]
    if account.unparsed:
        rows.append(("not understood", terminal.counted(account.unparsed, "shell command")))
    terminal.picture(terminal.facts(rows))


def _reach(configured: Configured, account: Account) -> None:
    servers = [one for one in configured.servers if one.enabled]
    broad = sorted({rule for one in configured.rules.values() for rule in one.broad})
    if not (servers or broad or configured.policies):
        return
    _section("What they could reach")
    terminal.table(
        ("SERVER", "CLIENT", "REACHED BY", "CALLS", "FROM"),
        (
            (one.name, _READ_BY[one.client], one.reached_by, account.servers.get(one.name, 0), one.place)
            for one in servers
        ),
        empty="no MCP servers",
    )
    rows: list[tuple[str, object]] = [
        ("allowed without a question", ", ".join(broad)),
        ("policies", ", ".join(f"{name} {value}" for name, value in configured.policies.items())),
        ("unreadable", ", ".join(configured.unreadable)),
    ]
    terminal.picture(terminal.facts(rows))


def _questions(made: Hindsight) -> None:
    account, prompts = made.account, made.prompts
    _section("Questions to you")
    known = prompts.least or prompts.most
    span = f"{prompts.least} to {prompts.most}, derived from modes and today's rules" if known else ""
    refused = terminal.counted(prompts.rejected, "time") if prompts.rejected else "never, as far as recorded"
    rows: list[tuple[str, object]] = [
        ("the clients asked", span),
        ("you said no", refused),
        ("not known", f"for {terminal.counted(prompts.unknown, 'call')}" if prompts.unknown else ""),
        ("remit would have asked", f"{made.asked_by_remit}" + _hundredth(made.asked_by_remit, account.calls)),
        ("about", _top(account.questions, 5)),
    ]
    terminal.picture(terminal.facts(rows))
    if unmarked := account.words[WordsOrigin.UNKNOWN]:
        terminal.say(
            f"{terminal.counted(unmarked, 'message')} did not say who wrote them, and did not count as your "
            "words. With your words, remit asks less.",
            style="dim",
        )


def _hundredth(count: int, calls: int) -> str:
    return f", {100 * count / calls:.1f} in 100 calls" if calls else ""


def _stopped(account: Account) -> None:
    _section("Calls that remit would have stopped")
    if not account.stopped_calls:
        terminal.say("None.", style="green")
        return
    first: dict[tuple[str, str, str], Stopped] = {}
    for one in account.stopped:
        first.setdefault((one.client, one.session, one.rule), one)
    for one in list(first.values())[:TOP_STOPPED]:
        terminal.say(terminal.text(f"{one.name}  ", "bold red"), terminal.text(one.call))
        why = f"{one.why}; {one.source}" if one.source else one.why
        rows = [("why", why), ("rule", one.rule), ("permitted if", one.remediation), ("session", one.session)]
        terminal.picture(Padding(terminal.facts(rows), (0, 0, 0, 2)))
    shown = min(len(first), TOP_STOPPED)
    if account.stopped_calls > shown:
        sessions = terminal.counted(len(account.stopped_sessions), "session")
        terminal.say(
            f"{account.stopped_calls} calls in {sessions}; the first of each session and rule is shown, "
            "`--json` has all.",
            style="dim",
        )


def _secrets(made: Hindsight) -> None:
    _section("Secrets seen on the way")
    rows = [
        (one.found.kind, f"{one.found.shown}…", one.found.fingerprint, one.times, one.where)
        for one in sorted(made.account.secrets.values(), key=lambda one: -one.times)
    ]
    rows += [(one.kind, f"{one.shown}…", one.fingerprint, 1, place) for place, one in made.configured.secrets]
    terminal.table(
        ("KIND", "BEGINS", "FINGERPRINT", "TIMES", "FIRST SEEN IN"), rows[:TOP], empty="None of a known form."
    )
    if len(rows) > TOP:
        terminal.say(f"{len(rows) - TOP} more: see `--json`.", style="dim")


def _next(made: Hindsight) -> None:
    _section("Next")
    grants = sum(1 for line in made.patch.splitlines() if line.startswith("+  - tool:"))
    steps = (
        ("remit hindsight --patch > coding.patch", f"a task type that fits: {grants} grants to review"),
        ("mkdir review && patch -p1 -d review < coding.patch", "read it, and rehearse it"),
    )
    for command, why in steps:
        terminal.copyable(f"  {command:<52}  ", terminal.text(f"# {why}", "dim"))
