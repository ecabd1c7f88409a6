# SPDX-License-Identifier: Apache-2.0
"""remit as the bench runs it: `python -m bench.serve_governed remit.yaml`.

The parts of one process as `remit up` runs them: every service, the MCP door and the management doors. It
opens one task and writes the task's token as its first line, then serves until it is stopped.
"""

import sys
from pathlib import Path

import uvicorn
import uvloop
from joserfc.jwk import ECKey

from bench.governed_bundle import AGENT, TASK_TYPE
from remit.cli.connection import BoundedConnection
from remit.cli.serving import settle_memory
from remit.compose import application, open_house
from remit.config import load_config
from remit.core.jwk import thumbprint
from remit.core.workload import AttestationMethod, Attested, KeyBinding
from remit.services.clients import TokenClient
from remit.services.directory import NewAgent, NewPerson
from remit.services.house import House
from remit.services.tasks import Opening
from remit.services.tokens import Asking


async def open_task(house: House, agent_key: ECKey | None = None) -> str:
    """Register an agent, open its task at a person's word; gives the task's token."""
    person = await house.directory.add_person(NewPerson(name="ana", groups=("staff",)), by="bench")
    made = agent_key or ECKey.generate_key("P-256")
    key = {name: str(value) for name, value in made.as_dict(private=False).items()}
    await house.directory.register(
        NewAgent(name=AGENT, owner="ana", purpose="Have texts given back", bindings=(KeyBinding(key),)),
        by="bench",
    )
    task = await house.tasks.open(Opening(agent=AGENT, task_type=TASK_TYPE), person=person)
    live = await house.live.load(task.id)
    attested = Attested(
        workload=f"jkt:{thumbprint(key)}",
        method=AttestationMethod.PRIVATE_KEY,
        assurance=AttestationMethod.PRIVATE_KEY.assurance,
    )
    client = TokenClient(agent=live.agent, client_id=AGENT, attested=attested)
    return (await house.oauth.tokens.for_task(client, live, Asking(how="bench"))).text


async def serve(config_path: Path) -> None:
    """Serve until stopped."""
    config = load_config(config_path)
    async with open_house(config) as house:
        sys.stdout.write(f"{await open_task(house)}\n")
        sys.stdout.flush()
        settle_memory()
        settings = uvicorn.Config(
            application(house, config),
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


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
