# SPDX-License-Identifier: Apache-2.0
"""remit as the bench runs it: `python -m bench.serve_governed remit.yaml [TASKS]`.

The parts of one process as `remit up` runs them: every service, the MCP endpoint and the management
endpoints. It opens so many tasks (one unless told), writes a line with the token of each, and serves until it
is stopped.
"""

import sys
from pathlib import Path
from typing import Self

import uvicorn
import uvloop
from joserfc.jwk import ECKey

from bench.governed_bundle import AGENT, TASK_TYPE
from remit.cli.serve.connections import BoundedConnection
from remit.cli.serve.gc import settle_memory
from remit.compose import application, open_services
from remit.config import Config, load_config
from remit.core.identity.principals import Agent, Person, Role
from remit.core.identity.workload import AttestationMethod, Attested, KeyBinding
from remit.core.keys.jwk import thumbprint
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.oauth.access_tokens import TokenQuestion
from remit.services.oauth.client_authentication import TokenClient
from remit.services.tasks.tasks import Opening


class Desk:
    """An agent at work for a person, task after task."""

    def __init__(self, services: Services, person: Person, client: TokenClient) -> None:
        """Take the services, the person and the client that works for the person."""
        self.person = person
        self._services = services
        self._client = client

    @classmethod
    async def arrange(cls, services: Services, agent_key: ECKey | None = None) -> Self:
        """Add the person, and register the agent; take them as they are where another replica did so."""
        directory = services.identity.directory
        if (agent := await directory.find_agent(AGENT)) is not None:
            (binding,) = agent.bindings
            assert isinstance(binding, KeyBinding)
            return cls(services, await directory.person("ana"), _client(agent, binding.jwk))
        person = await directory.add_person(
            NewPerson(name="ana", groups=("staff",), roles=(Role.ADMINISTRATOR, Role.AUDITOR)), by="bench"
        )
        made = agent_key or ECKey.generate_key("P-256")
        key = {name: str(value) for name, value in made.as_dict(private=False).items()}
        agent = await directory.register(
            NewAgent(name=AGENT, owner="ana", purpose="Have texts given back", bindings=(KeyBinding(key),)),
            by="bench",
        )
        return cls(services, person, _client(agent, key))

    async def open(self) -> tuple[str, str]:
        """Open a task at the person's word; gives its id and a token of it."""
        opening = Opening(agent=AGENT, task_type=TASK_TYPE)
        task = await self._services.tasks.tasks.open(opening, person=self.person)
        live = await self._services.tasks.live.load(task.id)
        token = await self._services.oauth.tokens.for_task(self._client, live, TokenQuestion(how="bench"))
        return task.id, token.text


def _client(agent: Agent, key: dict[str, str]) -> TokenClient:
    attested = Attested(
        workload=f"jkt:{thumbprint(key)}",
        method=AttestationMethod.PRIVATE_KEY,
        assurance=AttestationMethod.PRIVATE_KEY.assurance,
    )
    return TokenClient(agent=agent, client_id=AGENT, attested=attested)


async def open_task(services: Services, agent_key: ECKey | None = None) -> str:
    """Open the one task of a bench; gives its token."""
    return (await (await Desk.arrange(services, agent_key)).open())[1]


async def listen(services: Services, config: Config) -> None:
    """Serve until stopped."""
    settle_memory()
    settings = uvicorn.Config(
        application(services, config),
        host=config.listen.host,
        port=config.listen.port,
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    await uvicorn.Server(settings).serve()


async def serve(config_path: Path, tasks: int) -> None:
    """Serve so many tasks until stopped."""
    config = load_config(config_path)
    async with open_services(config) as services:
        desk = await Desk.arrange(services)
        for _ in range(tasks):
            sys.stdout.write(f"{(await desk.open())[1]}\n")
        sys.stdout.flush()
        await listen(services, config)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 1))
