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
        "demo", "Start", "", "watch the story, end to end, on real MCP servers", "remit.cli.demo.command"
    ),
    Command("doctor", "Start", "", "look whether everything is as it should be", "remit.cli.doctor.command"),
    Command(
        "completion", "Start", "SHELL", "what makes your shell complete all this", "remit.cli.completion"
    ),
    Command("run", "Agents at work", "... -- CMD", "run a program inside one task", "remit.cli.tasks.run"),
    Command(
        "connect", "Agents at work", "...", "the same for interactive clients", "remit.cli.tasks.connect"
    ),
    Command(
        "wrap", "Agents at work", "FILE", "put remit before a client's MCP servers", "remit.cli.wrap.command"
    ),
    Command(
        "who",
        "Three questions",
        "[X]",
        "who is it, and on whose behalf does it act",
        "remit.cli.identity.who",
    ),
    Command(
        "can",
        "Three questions",
        "X [TOOL]",
        "what may it do right now, by which rule",
        "remit.cli.decisions.can",
    ),
    Command("end", "Three questions", "X", "end it, and show how fast it was gone", "remit.cli.endings.end"),
    Command("lock", "Three questions", "[X]", "end it and keep it shut", "remit.cli.endings.end:lock_app"),
    Command(
        "unlock", "Three questions", "X", "let new tasks be opened again", "remit.cli.endings.end:unlock_app"
    ),
    Command("login", "People", "", "sign in, with a code or at the browser", "remit.cli.identity.login"),
    Command("logout", "People", "", "sign out", "remit.cli.identity.login:logout_app"),
    Command("person", "People", "VERB", "people and their roles", "remit.cli.identity.person"),
    Command(
        "delegation", "People", "VERB", "let an agent act for you, for a time", "remit.cli.tasks.delegation"
    ),
    Command("approvals", "People", "", "what waits for a human", "remit.cli.decisions.approve:approvals_app"),
    Command("approve", "People", "ID", "let one exact call happen, once", "remit.cli.decisions.approve"),
    Command("deny", "People", "ID", "refuse one exact call", "remit.cli.decisions.approve:deny_app"),
    Command(
        "agent", "Governance", "VERB", "agents, their owners, what proves them", "remit.cli.identity.agent"
    ),
    Command("task", "Governance", "VERB", "pieces of work, and their types", "remit.cli.tasks.task"),
    Command(
        "data", "Governance", "VERB", "what is known of data that tasks wrote", "remit.cli.decisions.data"
    ),
    Command("lease", "Governance", "VERB", "credentials that are not dead yet", "remit.cli.endings.lease"),
    Command(
        "finding", "Governance", "VERB", "what was seen and not accounted for", "remit.cli.evidence.finding"
    ),
    Command("tool", "Governance", "VERB", "tools, and what changed in them", "remit.cli.policy.tool"),
    Command("policy", "Governance", "VERB", "check, apply and read the rules", "remit.cli.policy.policy"),
    Command("paths", "Governance", "", "who could get from where to what", "remit.cli.paths.command"),
    Command("key", "Governance", "VERB", "remit's own keys, and replacing them", "remit.cli.identity.key"),
    Command("audit", "Governance", "VERB", "read, prove and verify the evidence", "remit.cli.evidence.audit"),
)
BY_NAME = {command.name: command for command in COMMANDS}

#: The options that are permitted anywhere before `--`, for every command.
EVERYWHERE = (
    ("--json", "the exact answer as JSON, and nothing else, on standard output"),
    ("--config FILE", "the configuration, or its folder (default: `remit.yaml` of this folder)"),
    ("--as NAME", "act as another person who is signed in here"),
    ("--help, --version", "what a command takes; which remit this is"),
)
EXIT_CODES = (
    (0, "done"),
    (1, "refused by policy"),
    (2, "usage or configuration error"),
    (3, "not reachable"),
    (4, "verification failed"),
)
VARIABLES = (
    ("REMIT_URL", "the address of remit, instead of the configuration's"),
    ("REMIT_CA_FILE", "certificate authorities (PEM) to trust at that address, instead of the usual ones"),
    ("REMIT_SESSION", "a session secret, instead of the one that `remit login` stored"),
    ("REMIT_DEBUG", "`1` shows where in the code an error arose"),
    ("NO_COLOR", "no colour"),
)
