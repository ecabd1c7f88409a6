# SPDX-License-Identifier: Apache-2.0
"""remit with a long log, many agents, and a person at a browser.

Run by `bench.console` as `python -m bench.serve_console CONFIG EVENTS`.

It writes one line of JSON (cookies, a token, and names of things to look at), and serves until it is
stopped. From then on the log grows like that of a remit with 100 calls a second.
"""

import asyncio
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop
from joserfc.jwk import ECKey

from bench.governed_bundle import TASK_TYPE
from bench.serve_governed import Desk, listen
from remit.compose import open_services
from remit.config import load_config
from remit.core.evidence.event import CallOutcome, Event, EventBody
from remit.core.evidence.events.decisions import DataRead, DecisionMade, ToolCalled
from remit.core.identity.principals import AgentState, Person, Role
from remit.core.identity.workload import KeyBinding
from remit.core.label import Trust
from remit.core.tasks.task import Task
from remit.core.tools.tool import Effect
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.tasks.tasks import Opening

AGENTS: Final = 200
CALLS_A_SECOND: Final = 100
#: Events of one call, and calls of one unit while the log is filled.
OF_CALL: Final = 3
AT_ONCE: Final = 500
#: Of so many calls one reads personal data.
RARE: Final = 100_000


def events_of(task: Task, number: int, at: datetime, tenant: str) -> tuple[Event, ...]:
    """Return the events of one call; of a hundred calls one is refused, and has no more than a decision."""
    outcome = "deny" if number % 100 == 0 else "permit"
    decided = DecisionMade(
        tool="echo/echo",
        outcome=outcome,
        tier="assistant",
        effect=Effect.NONE,
        audience="internal",
        assurance="key-bound",
        sender="dpop",
        data_class="internal",
        rules=[["permit-granted", "sha256:462f7578de88825e10eb2fa31922779baf3c880eab21d13abcd290a4eca9eabb"]],
        bundle=task.bundle,
        number=number,
        flow=[{"argument": "text", "provenance": "unknown"}],
        arguments={"text": f"call {number:08d} the quick brown fox"},
    )
    bodies: list[EventBody] = [decided]
    rare = ["pii"] if number % RARE == 1 else []
    if outcome == "permit":
        bodies += [
            ToolCalled(tool="echo/echo", outcome=CallOutcome.OK, result_bytes=100),
            DataRead(
                tool="echo/echo", data_class="internal", categories=rare, trust=Trust.TRUSTED, record="echo"
            ),
        ]
    call = f"dec_{number:016d}"
    return tuple(
        Event.of(body, at=at, tenant=tenant, subject=task.agent, task=task.id, agent=task.agent, call=call)
        for body in bodies
    )


async def staffed(services: Services, desk: Desk) -> list[Task]:
    """Register the agents, and open a task for each."""
    tasks = []
    for number in range(AGENTS):
        name = f"clerk-{number:03d}"
        made = ECKey.generate_key("P-256").as_dict(private=False)
        key = {part: str(value) for part, value in made.items()}
        new = NewAgent(
            name=name,
            owner="ana",
            purpose="Have texts given back",
            groups=("clerks",),
            bindings=(KeyBinding(key),),
        )
        await services.identity.directory.register(new, by="bench")
        await services.identity.directory.move(name, AgentState.ACTIVE, by="bench", reason="at work")
        opening = Opening(agent=name, task_type=TASK_TYPE, goal=f"Have the texts of tray {number} given back")
        tasks.append(await services.tasks.tasks.open(opening, person=desk.person))
    return tasks


async def grow(services: Services, tasks: list[Task], events: int) -> int:
    """Fill the log with the calls of some hours; return how many calls that were."""
    calls, now = events // OF_CALL, services.clock.now()
    for start in range(0, calls, AT_ONCE):
        found: list[Event] = []
        for number in range(start, min(start + AT_ONCE, calls)):
            at = now - timedelta(seconds=(calls - number) / CALLS_A_SECOND)
            found += events_of(tasks[number % len(tasks)], number, at, services.tenant)
        await services.store.commit(Unit(events=tuple(found)))
    return calls


async def go_on(services: Services, tasks: list[Task], number: int) -> None:
    """Let the log grow as it does with 100 calls a second."""
    while True:
        found: list[Event] = []
        for _ in range(CALLS_A_SECOND // 10):
            number += 1
            found += events_of(tasks[number % len(tasks)], number, services.clock.now(), services.tenant)
        await services.store.commit(Unit(events=tuple(found)))
        await asyncio.sleep(0.1)


async def _signed_in(services: Services, person: Person) -> str:
    secret = await services.people.browsers.open(person, method="code", place="a bench")
    return f"remit-session={secret}"


async def serve(config_path: Path, events: int) -> None:
    """Serve until stopped."""
    config = load_config(config_path)
    async with open_services(config) as services:
        desk = await Desk.arrange(services)
        tasks = await staffed(services, desk)
        calls = await grow(services, tasks, events)
        new = NewPerson(name="omar", roles=(Role.APPROVER,))
        approver = await services.identity.directory.add_person(new, by="bench")
        told = {
            "cookie": await _signed_in(services, desk.person),
            "approver": await _signed_in(services, approver),
            "token": (await desk.open())[1],
            "task": tasks[0].id,
            "agent": tasks[0].agent,
            "decision": f"dec_{calls - 1:016d}",
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        growing = asyncio.create_task(go_on(services, tasks, calls))
        await listen(services, config)
        growing.cancel()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
