# SPDX-License-Identifier: Apache-2.0
"""A gateway whose PostgreSQL stops refuses each call, forwards none, loses nothing, and goes on by itself."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest

from remit.cli.doctor.checks import _store
from remit.compose import open_services
from remit.config import load_config
from tests.clients.http_line import Line
from tests.gateways.gateway_process import GatewayProcess, gateway_process, set_up
from tests.samples.evidence_reading import permits
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.long

LOOPS = 6


class Senders:
    """Loops that send mails whatever they are told, and remember what they were told."""

    def __init__(self, gateway: GatewayProcess, token: str) -> None:
        self._gateway = gateway
        self._token = token
        self._going = True
        self.sent: set[str] = set()
        self.refused: set[str] = set()
        #: Sent, and the answer kept back, because it could not be learnt from.
        self.withheld: set[str] = set()
        self._loops = [asyncio.create_task(self._loop(me)) for me in range(LOOPS)]

    async def _loop(self, me: int) -> None:
        count = 0
        with contextlib.closing(await Line.to(self._gateway.port)) as line:
            while self._going:
                count += 1
                subject = f"{me}/{count}"
                told = await self._gateway.send(line, self._token, subject)
                if told.result is not None:
                    self.sent.add(subject)
                    continue
                assert told.code in ("store-unavailable", "replica-fenced"), told
                assert re.search("PostgreSQL|store|lease", told.error["remediation"])
                withheld = told.error.get("outcome") == "unknown"
                (self.withheld if withheld else self.refused).add(subject)

    async def until(self, *, sent: int = 0, refused: int = 0) -> None:
        """Wait until so many more were sent, and refused."""
        sent, refused = sent + len(self.sent), refused + len(self.refused)
        async with asyncio.timeout(60):
            while len(self.sent) < sent or len(self.refused) < refused:  # noqa: ASYNC110 - no event exists
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Send no more."""
        self._going = False
        await asyncio.gather(*self._loops)


async def test_a_gateway_refuses_while_its_database_is_away(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    """Under load, twice; then every mail that went out has its permit, and every mail of which the
    answer was given its outcome. (A permit that was written while its writing could not be learnt of was
    refused: nothing went out, and nothing is known of it but the permit.)
    """
    async with gateway_process(tmp_path, database=own_postgres.fresh()) as gateway:
        _, token = await gateway.open_task()
        senders = Senders(gateway, token)
        for _ in range(2):
            await senders.until(sent=20)
            await asyncio.to_thread(own_postgres.stop)
            await senders.until(refused=LOOPS * 2)
            before = len(gateway.outbox())
            await senders.until(refused=LOOPS * 2)
            assert len(gateway.outbox()) == before
            assert (await gateway.raw("GET", "/health/live"))[0] == 200
            await asyncio.to_thread(own_postgres.start)
            await senders.until(sent=20)
        await senders.stop()
        outbox = {mail["subject"] for mail in gateway.outbox()}
        assert len(outbox) == len(gateway.outbox()), "a mail was sent twice"
        assert senders.sent <= outbox
        assert not senders.refused & outbox
        await gateway.stop()
        await gateway.start()
        report = await gateway.verified()
        assert report.holds, report.faults
        permitted = permits(await gateway.events())
        decided = {event["call"]: event["values"]["arguments"]["subject"] for event in permitted}
        assert outbox <= set(decided.values())
        assert not {decided[call] for call in report.unfinished} & senders.sent


async def test_the_doctor_says_which_store_there_is(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """Where it is and how it stands, and what is wrong where it does not answer; never the password."""
    set_up(tmp_path, database=postgres_server.fresh())
    config = load_config(tmp_path)
    look, *risks = _store(config)
    assert (look.state, f"127.0.0.1:{postgres_server.port}" in look.says) == ("ok", True)
    assert "empty" in look.says
    # The server that tests share gives up durability for speed.
    assert [(one.state, one.says.split("`")[1]) for one in risks] == [("fail", "fsync = off")]
    async with open_services(config):
        pass
    assert "MiB" in next(_store(config)).says
    (tmp_path / "database").write_text(postgres_server.url(password="a-wrong-one"))
    (look,) = _store(config)
    assert look.state == "fail"
    assert "password" in look.remediation
    assert "a-wrong-one" not in look.says + look.remediation
