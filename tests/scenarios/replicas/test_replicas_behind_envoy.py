# SPDX-License-Identifier: Apache-2.0
"""Three replicas behind the Envoy of the guide: each task at one of them, and a header gives nothing."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml

from tests.clients.http_line import Line
from tests.gateways.gateway_process import Told
from tests.gateways.several_replicas import Replica, Replicas, replicas, until
from tests.servers.envoy_server import envoy, program, shown
from tests.servers.postgres_server import PostgresServer
from tests.worlds.tls_port import identity

pytestmark = pytest.mark.long


async def sent(by: Replica, port: int, token: str, subject: str, task: str = "") -> Told:
    """Send one mail through Envoy, with a header that names a task."""
    with contextlib.closing(await Line.to(port)) as line:
        return await by.send(line, token, subject, more={"remit-task": task} if task else {})


async def passed_on(world: Replicas) -> int:
    """Return how many requests replicas have passed on to each other."""
    return sum([await one.counted("to others") for one in world.all if one.process.returncode is None])


async def stays(world: Replicas, calls: Callable[[int], Awaitable[None]]) -> int:
    """Make calls again and again until none of them is passed on; gives how often that took.

    A replica that was late with its lease for a moment is left out for that moment.
    """
    for number in range(50):
        before = await passed_on(world)
        await calls(number)
        if await passed_on(world) == before:
            return number + 1
        await asyncio.sleep(0.2)
    raise AssertionError("each time some call was passed on")


@pytest.mark.slow
async def test_a_task_stays_at_one_replica_and_a_header_is_no_authority(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """By the header that relays send, or by what Envoy reads out of the token; a lie costs a hop."""
    async with replicas(tmp_path, postgres, postgres_server.port) as world:
        first = world.all[0]
        ports = [one.port for one in world.all]
        tasks = [await first.open_task() for _ in range(6)]
        async with envoy(tmp_path, ports, first.url) as port:

            async def named(number: int) -> None:
                for again in range(3):
                    for task, token in tasks[:3]:
                        subject = f"{number}/{again}/{task}"
                        assert (await sent(first, port, token, subject, task)).code == ""

            rounds = await stays(world, named)
            before = await passed_on(world)
            # A header that lies takes the request elsewhere: the owner gets it all the same.
            task, token = tasks[0]
            count = 0
            while await passed_on(world) == before:
                count += 1
                lie = tasks[1][0] if count == 1 else f"tsk_{count}"
                assert (await sent(first, port, token, f"lie/{count}", lie)).code == ""
                assert count < 200, "the ring sends everything to one replica"
            told = await sent(first, port, "no token", "by the header alone", task)
            assert (told.status, told.result) == (401, None)
            others = await first.agent_token("other-bot")
            told = await sent(first, port, others, "by the header alone", task)
            assert told.result is None
        async with envoy(tmp_path, ports, first.url, derived=True) as port:

            async def lying(number: int) -> None:
                for again in range(3):
                    for task, token in tasks[3:]:
                        # What a client says is overruled by what its token says.
                        lie = tasks[again][0] if again else ""
                        subject = f"derived/{number}/{again}/{task}"
                        assert (await sent(first, port, token, subject, lie)).code == ""

            rounds += await stays(world, lying)
            told = await sent(first, port, "no token", "by nobody", tasks[3][0])
            assert (told.status, told.result) == (401, None), "remit answers who shows no token that holds"
        subjects = [mail["subject"] for mail in world.outbox()]
        assert len(subjects) == len(set(subjects)) == 9 * rounds + count


@pytest.mark.slow
async def test_what_a_replica_that_dies_served_goes_to_another_one(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Envoy takes it out, and the replica that gets its tasks' requests takes these tasks over."""
    async with replicas(tmp_path, postgres, postgres_server.port) as world:
        by = {one.port: one for one in world.all}
        task, token = await world.all[0].open_task()
        async with envoy(tmp_path, list(by), world.all[0].url) as port:
            assert (await sent(world.all[0], port, token, "before", task)).code == ""
            owner = await _owner(world)
            left = next(one for one in world.all if one is not owner)
            await owner.kill()
            await until(lambda: _tried(left, port, token, "after", task))
            await owner.start()
            await until(lambda: _tried(left, port, token, "again", task))
        assert [mail["subject"] for mail in world.outbox()] == ["before", "after", "again"]
        events = await left.events()
        assert {"replica.gone", "task.taken_over"} <= {event["kind"] for event in events}


async def _owner(world: Replicas) -> Replica:
    told = await world.all[0].ask("GET", "/api/v1/replicas", by="root")
    owners = {one["id"] for one in told["replicas"] if one["tasks"]}
    (owner,) = [one for one in world.all if await one.known() in owners]
    return owner


async def _tried(by: Replica, port: int, token: str, subject: str, task: str) -> bool:
    with contextlib.suppress(OSError, EOFError, ValueError):
        return (await sent(by, port, token, subject, task)).result is not None
    return False


@pytest.mark.parametrize("derived", [False, True])
def test_the_configuration_of_the_guide_is_one_that_envoy_takes(tmp_path: Path, derived: bool) -> None:
    """As it stands there, with TLS on both sides."""
    certificate, key = identity(tmp_path, "remit")
    shutil.copy(certificate, tmp_path / "ca.pem")
    text = yaml.safe_dump(shown(derived=derived)).replace("/etc/envoy/", f"{tmp_path}/")
    assert f"{tmp_path}/{key.name}" in text
    file = tmp_path / "envoy.yaml"
    file.write_text(text)
    argv = [program(), "--mode", "validate", "-c", str(file), "--log-level", "warning"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
