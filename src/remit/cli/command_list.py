# SPDX-License-Identifier: Apache-2.0
"""The list of all commands: what the front page shows, and the module of each. Imports nothing heavy."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command: one word after `remit`. `home` is the module that defines its `app`, or `module:name`."""

    name: str
    part: str
    usage: str
    summary: str
    home: str

    @property
    def module(self) -> str:
        """The module to import."""
        return self.home.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The attribute of the module that holds the command."""
        return self.home.partition(":")[2] or "app"


COMMANDS: tuple[Command, ...] = (
    Command("init", "Start", "[FOLDER]", "write a small working configuration", "remit.cli.serve.init"),
    Command("up", "Start", "", "run everything in one process", "remit.cli.serve.up"),
    Command(
        "demo", "Start", "", "run the demo story, end to end, on real MCP servers", "remit.cli.demo.command"
    ),
    Command(
        "hindsight",
        "Start",
        "[PATH...]",
        "show what assistants did, and what remit would do",
        "remit.cli.hindsight.command",
    ),
    Command(
        "discover",
        "Start",
        "[PATH...]",
        "find agents, servers and secrets that no one governs",
        "remit.cli.discover.command",
    ),
    Command(
        "guard",
        "Start",
        "...",
        "put coding assistants under guard, by their hooks",
        "remit.cli.guard.command",
    ),
    Command("completion", "Start", "SHELL", "print a shell completion script", "remit.cli.completion"),
    Command(
        "status", "The service", "", "show what runs, and what needs attention", "remit.cli.service.status"
    ),
    Command("stop", "The service", "", "stop remit", "remit.cli.service.stop"),
    Command(
        "restart",
        "The service",
        "",
        "start remit again, at its address",
        "remit.cli.service.stop:restart_app",
    ),
    Command(
        "reload",
        "The service",
        "",
        "put changed files in force, without a restart",
        "remit.cli.service.reload",
    ),
    Command(
        "logs",
        "The service",
        "",
        "show the log of the service, a line for each call",
        "remit.cli.service.logs",
    ),
    Command(
        "backup",
        "The service",
        "FILE",
        "back up store and evidence while remit serves",
        "remit.cli.backup.command",
    ),
    Command(
        "restore",
        "The service",
        "FILE",
        "put a backup in the place of the store",
        "remit.cli.backup.command:restore_app",
    ),
    Command("doctor", "The service", "", "check this installation for problems", "remit.cli.doctor.command"),
    Command("run", "Agents at work", "... -- CMD", "run a program inside one task", "remit.cli.tasks.run"),
    Command(
        "connect",
        "Agents at work",
        "...",
        "start an interactive client inside a task",
        "remit.cli.tasks.connect",
    ),
    Command(
        "wrap", "Agents at work", "FILE", "put remit before a client's MCP servers", "remit.cli.wrap.command"
    ),
    Command(
        "who",
        "Three questions",
        "[X]",
        "show who an agent is, and for which person it acts",
        "remit.cli.identity.who",
    ),
    Command(
        "can",
        "Three questions",
        "[X] [TOOL]",
        "show what an agent may do now, or who could call a tool",
        "remit.cli.decisions.can",
    ),
    Command(
        "explain",
        "Three questions",
        "ID",
        "explain one decision: which call, which rules, and why",
        "remit.cli.decisions.explain",
    ),
    Command(
        "end", "Three questions", "X", "end a task, and show how long the end took", "remit.cli.endings.end"
    ),
    Command(
        "lock",
        "Three questions",
        "[X]",
        "end tasks, and let no new ones open",
        "remit.cli.endings.end:lock_app",
    ),
    Command("unlock", "Three questions", "X", "let new tasks open again", "remit.cli.endings.end:unlock_app"),
    Command("login", "People", "", "sign in, with a code or at the browser", "remit.cli.identity.login"),
    Command("logout", "People", "", "sign out", "remit.cli.identity.login:logout_app"),
    Command("whoami", "People", "", "show who is signed in here", "remit.cli.identity.whoami"),
    Command("person", "People", "VERB", "people and their roles", "remit.cli.identity.person"),
    Command(
        "delegation",
        "People",
        "VERB",
        "let an agent act for you for a limited time",
        "remit.cli.tasks.delegation",
    ),
    Command(
        "approvals",
        "People",
        "",
        "list what waits for an approver",
        "remit.cli.decisions.approve:approvals_app",
    ),
    Command("approve", "People", "ID", "approve one exact call, once", "remit.cli.decisions.approve"),
    Command("deny", "People", "ID", "refuse one exact call", "remit.cli.decisions.approve:deny_app"),
    Command(
        "agent",
        "Governance",
        "VERB",
        "agents, their owners and their proofs of identity",
        "remit.cli.identity.agent",
    ),
    Command(
        "reviews", "Governance", "VERB", "access reviews of agents that are due", "remit.cli.identity.review"
    ),
    Command("task", "Governance", "VERB", "tasks and their types", "remit.cli.tasks.task"),
    Command(
        "freeze", "Governance", "VERB", "change freezes, which policies read", "remit.cli.decisions.freeze"
    ),
    Command("data", "Governance", "VERB", "labels of data that tasks wrote", "remit.cli.decisions.data"),
    Command(
        "lease",
        "Governance",
        "VERB",
        "upstream credentials that are not revoked yet",
        "remit.cli.endings.lease",
    ),
    Command("finding", "Governance", "VERB", "list, close and prove findings", "remit.cli.findings.command"),
    Command(
        "suggest",
        "Governance",
        "",
        "suggest descriptions and grants from what was observed",
        "remit.cli.suggest.command",
    ),
    Command("tool", "Governance", "VERB", "tools and their changes", "remit.cli.policy.tool"),
    Command("policy", "Governance", "VERB", "check, apply and show policies", "remit.cli.policy.policy"),
    Command("paths", "Governance", "", "show how data and effects can flow", "remit.cli.paths.command"),
    Command("key", "Governance", "VERB", "list and rotate remit's own keys", "remit.cli.identity.key"),
    Command(
        "audit",
        "Governance",
        "VERB",
        "read, export, prove and verify the evidence",
        "remit.cli.evidence.audit",
    ),
    Command(
        "report",
        "Governance",
        "",
        "measure the controls of a framework on the evidence",
        "remit.cli.report.command",
    ),
    Command(
        "assess",
        "Governance",
        "[PATH...]",
        "show what initiatives do, and what would cross",
        "remit.cli.assess.command",
    ),
)
BY_NAME = {command.name: command for command in COMMANDS}

#: The options that are permitted anywhere before `--`, for every command.
EVERYWHERE = (
    ("--json", "print only the exact answer as JSON on standard output"),
    ("--config FILE", "the configuration file or its folder (default: `remit.yaml` here, else the user's)"),
    ("--as NAME", "act as another signed-in person"),
    ("--help, --version", "show a command's parameters; show the version"),
)
EXIT_CODES = (
    (0, "done"),
    (1, "refused by policy"),
    (2, "usage or configuration error"),
    (3, "remit is not reachable"),
    (4, "verification failed"),
)
VARIABLES = (
    ("REMIT_URL", "remit's address; replaces the configuration's"),
    ("REMIT_CA_FILE", "certificate authorities (PEM) to trust at that address; replaces the system's"),
    ("REMIT_SESSION", "a session secret; replaces the one that `remit login` stored"),
    ("REMIT_DEBUG", "`1` shows the stack trace of an error"),
    ("NO_COLOR", "no colour"),
)
