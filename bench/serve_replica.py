# SPDX-License-Identifier: Apache-2.0
"""One replica as the bench runs it: `python -m bench.serve_replica remit.yaml PORT [first]`.

The first one brings in person and agent. Each opens a task, which it owns, and writes one line of JSON: the
task and its token; the first one also a session of the person, with which tasks are opened and ended over
REST.
"""

import json
import sys
from pathlib import Path

import msgspec
import uvloop

from bench.serve_governed import Desk, listen
from remit.compose import open_services
from remit.config import load_config


async def serve(config_path: Path, port: int, *, first: bool) -> None:
    """Serve until stopped, at a port other than the file's, which all replicas read."""
    config = load_config(config_path)
    config = msgspec.structs.replace(config, listen=msgspec.structs.replace(config.listen, port=port))
    async with open_services(config) as services:
        desk = await Desk.arrange(services)
        task, token = await desk.open()
        told = {"task": task, "token": token}
        if first:
            code = await services.identity.authenticator.make_code(desk.person.name, by="bench")
            session = (await services.identity.authenticator.sign_in(code))[0]
            told["session"] = session
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await listen(services, config)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]), first="first" in sys.argv[3:]))
