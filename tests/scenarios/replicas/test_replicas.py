# SPDX-License-Identifier: Apache-2.0
"""Several replicas on one store: an end holds on each of them, whichever made it, whatever became of
others.
"""

import asyncio
import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.http_line import Line
from tests.faults.held_lock import held_elsewhere
from tests.gateways.gateway_process import META, MODERN, GatewayProcess, Refused
from tests.gateways.several_replicas import ended, replicas, sent, until_sent
from tests.samples.evidence_reading import permits
from tests.samples.mail_bundle import RECIPIENT
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.long

Json = Any


async def subjects(one: GatewayProcess, listed: Json) -> set[str]:
    """Return the subjects of the mails that a closure lists."""
    decided = {
        event["call"]: event["values"]["arguments"]["subject"] for event in permits(await one.events())
    }
    return {decided[each["decision"]] for each in listed}


async def test_a_call_is_passed_on_to_who_owns_its_task(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Whichever replica is asked, one owner decides; the end that a third one makes reaches all of them."""
    async with replicas(tmp_path, postgres, postgres_server.port) as world:
        first, second, third = world.all
        task, token = await first.open_task()
        for number, one in enumerate((second, first, third, second)):
            assert await sent(one, token, str(number)) == ""
        told = await second.ask("GET", "/api/v1/replicas", by="root")
        owners = {one["id"]: one["tasks"] for one in told["replicas"]}
        assert owners.keys() == {await one.known() for one in world.all}
        assert owners[await second.known()] >= 1
        assert sum(owners.values()) == 1
        assert [one["tends"] for one in told["replicas"]].count(True) == 1
        closure = await ended(third, task)
        heard = {one["replica"]: one["after_ms"] for one in closure["acknowledged"]}
        assert heard.keys() == {await first.known(), await second.known()}
        assert None not in heard.values()
        assert closure["closed"]
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        assert [mail["subject"] for mail in world.outbox()] == ["0", "1", "2", "3"]
        report = await first.verified()
        assert report.holds, report.faults
        assert report.unfinished == ()


async def test_whatever_is_ended_at_one_replica_is_refused_at_all(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """An agent, an owner, a tool, an upstream, everything: the replica that serves the task has heard of it
    when the end returns, and no mail goes out any more. Tasks that are opened afterwards work.
    """
    ends = {"agent": "mail-bot", "owner": "lena", "tool": "mail/send", "upstream": "mail", "everything": ""}
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        for kind, name in ends.items():
            task, token = await first.open_task()
            await until_sent(second, token, f"before {kind}")
            closure = await first.ask("POST", "/api/v1/end", {"kind": kind, "name": name}, by="root")
            assert [one["replica"] for one in closure["acknowledged"]] == [await second.known()]
            assert (task in closure["tasks"]) is (kind not in ("tool", "upstream"))
            assert closure["closed"]
            codes = {await sent(one, token, f"after {kind}") for one in world.all}
            assert codes <= {"fenced", "task-ended"}, (kind, codes)
        assert [mail["subject"] for mail in world.outbox()] == [f"before {kind}" for kind in ends]


@pytest.mark.slow
async def test_what_a_killed_replica_owned_is_taken_over(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Budgets and label come from the store; what the task had met is unknown, and the evidence says so."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        task, token = await first.open_task()
        await until_sent(second, token, "before")
        gone = await second.known()
        await second.kill()
        await until_sent(first, token, "after")
        assert {mail["subject"] for mail in world.outbox()} == {"before", "after"}
        events = await first.events()
        kinds = [event["kind"] for event in events]
        assert {"replica.gone", "task.taken_over"} <= set(kinds)
        assert next(one for one in events if one["kind"] == "replica.gone")["facts"]["replica"] == gone
        # A replica that comes again is another one, whatever it is called.
        await second.start()
        assert await second.known() != gone
        await until_sent(second, token, "again")
        assert (await ended(second, task))["closed"]
        assert await sent(first, token, "late") != ""


async def test_a_paused_replica_is_waited_out_and_refuses_when_it_goes_on(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """The closure says that it did not answer; what it had in hand by then goes nowhere."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        task, token = await first.open_task()
        await until_sent(second, token, "before")
        paused = await second.known()
        second.pause()
        calls = [asyncio.create_task(sent(second, token, f"meanwhile-{n}")) for n in range(8)]
        closure = await ended(first, task)
        assert {one["replica"]: one["after_ms"] for one in closure["acknowledged"]} == {paused: None}
        second.go_on()
        assert set(await asyncio.gather(*calls)) <= {
            "replica-fenced", "replica-gone", "fenced", "task-ended", "store-unavailable",
        }  # fmt: skip
        assert [mail["subject"] for mail in world.outbox()] == ["before"]
        # It comes back by itself.
        other, fresh = await first.open_task()
        await until_sent(second, fresh, "afterwards")
        assert other != task


@pytest.mark.slow
async def test_a_replica_that_was_stopped_in_its_turn_holds_nobody_up(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Stopped again and again under load, and so sooner or later inside a transaction: ends go on."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        for number in range(6):
            task, token = await first.open_task()
            await until_sent(second, token, f"{number}")
            calls = [asyncio.create_task(sent(second, token, f"{number}/{n}")) for n in range(24)]
            await asyncio.sleep(0.01 * number)
            second.pause()
            async with asyncio.timeout(60):
                closure = await ended(first, task)
            count = len(world.outbox())
            second.go_on()
            await asyncio.gather(*calls)
            late = {mail["subject"] for mail in world.outbox()[count:]}
            assert late <= await subjects(first, closure["indeterminate"])


@pytest.mark.slow
async def test_a_replica_that_was_stopped_with_a_lock_on_shared_files_holds_nobody_up(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Of the log's head and of the keys: calls and ends go on, and what needs the file says who has it."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        task, token = await first.open_task()
        await until_sent(second, token, "before")
        # In the middle of replacing a key it holds up those of that kind alone.
        with held_elsewhere(world.shared / "keys" / ".token.turn.lock"):
            with pytest.raises(Refused, match="keys-held"):
                await first.ask("POST", "/api/v1/keys/token/rotate", {"reason": "test"}, by="root")
            await first.ask("POST", "/api/v1/keys/checkpoint/rotate", {"reason": "test"}, by="root")
            await until_sent(second, token, "in its turn")
        (head,) = (world.shared / "head").glob("*.lock")
        with held_elsewhere(head), held_elsewhere(world.shared / "keys" / ".lock"):
            with pytest.raises(Refused, match="keys-held"):
                await first.ask("POST", "/api/v1/keys/token/rotate", {"reason": "test"}, by="root")
            with pytest.raises(Refused, match="head-held"):
                await first.ask("GET", "/api/v1/events/head", by="root")
            await until_sent(second, token, "meanwhile")
            assert (await ended(first, task))["closed"]
            assert await sent(second, token, "after") in ("fenced", "task-ended")
        assert (await first.verified()).holds


@pytest.mark.slow
async def test_a_replica_that_is_cut_from_the_store_refuses_everything_until_it_is_back(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Others go on meanwhile; what it owned is theirs by then."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        second.proxy.cut_off(True)
        await until_sent(first, token, "taken over")
        assert await sent(second, token, "cut off") in ("replica-fenced", "store-unavailable")
        assert (await second.raw("GET", "/api/v1/tasks", by="root"))[0] == 503
        assert (await second.raw("GET", "/health/live"))[0] == 200
        second.proxy.cut_off(False)
        await until_sent(second, token, "back")
        assert [mail["subject"] for mail in world.outbox()] == ["before", "taken over", "back"]


@pytest.mark.slow
async def test_nobody_but_a_replica_passes_requests_on(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A header of one's own making opens nothing: the request is refused as a whole."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        mine = {"sender": await first.known(), "to": await second.known(), "number": 10**6, "key": "1"}
        told = base64.urlsafe_b64encode(json.dumps(mine).encode()).decode()
        for value in (f"{told}.AAAA", f"{told}.", told, "x", ""):
            arguments = {"to": RECIPIENT, "subject": "forged", "body": "-"}
            params = {"name": "send", "arguments": arguments, "_meta": META}
            headers = {
                "authorization": f"Bearer {token}",
                "content-type": "application/json",
                "accept": "application/json, text/event-stream",
                "mcp-protocol-version": MODERN,
                "mcp-method": "tools/call",
                "mcp-name": "send",
                "remit-passed-on": value,
            }
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            with contextlib.closing(await Line.to(second.port)) as line:
                status, content = await line.ask("POST", "/mcp/mail", headers, body.encode())
            assert (status, json.loads(content)["error"]["data"]["code"]) == (400, "passed-on")
        assert [mail["subject"] for mail in world.outbox()] == ["before"]


@pytest.mark.slow
async def test_replicas_that_come_and_go_lose_no_call(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A replica that stops in order hands its tasks over at once; every mail that went out has its permit."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        _, token = await first.open_task()
        assert await sent(second, token, "1") == ""
        await second.stop()
        await until_sent(first, token, "2")
        await second.start()
        await until_sent(second, token, "3")
        await first.stop()
        await until_sent(second, token, "4")
        assert [mail["subject"] for mail in world.outbox()] == ["1", "2", "3", "4"]
        report = await second.verified()
        assert report.holds, report.faults
        decided = {one["values"]["arguments"]["subject"] for one in permits(await second.events())}
        assert {"1", "2", "3", "4"} <= decided
