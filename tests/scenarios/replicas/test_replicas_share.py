# SPDX-License-Identifier: Apache-2.0
"""What replicas share: credentials of a dead one, budgets of families, labels at rest, certificates."""

import asyncio
import base64
import contextlib
import json
import os
import ssl
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from tests.clients.http_line import Line
from tests.gateways.gateway_process import META
from tests.gateways.passing_replicas import PassingWorld, a_mail, modern, passing_world
from tests.gateways.several_replicas import Replica, ended, replicas, sent, until
from tests.refusals import own_failure
from tests.servers.authorization_server import SECRET, Authorities, authorities
from tests.servers.postgres_server import PostgresServer
from tests.worlds.tls_port import identity

pytestmark = pytest.mark.long

Json = Any

HOUR_S = 3600.0
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


async def test_credentials_of_a_dead_replica_are_taken_back_at_their_source(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """The replica that tends what it left takes them back, whether or not the task lives on."""
    with authorities() as server:
        await take_back(tmp_path, postgres, postgres_server, server)


async def take_back(folder: Path, url: str, database: PostgresServer, server: Authorities) -> None:
    """The same, with a server that gives the credentials."""
    lease = {
        "oauth": server.oauth(scopes=["crm.read"]),
    }
    with mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}):
        async with passing_world(folder, url, database, shop={"lease": lease}, lease_ms=1000) as world:
            first, second = world.world.all
            lives, token = await first.open_task()
            dies, other = await first.open_task()
            for one in (token, other):
                assert (await thing(world, second, one)) == 200
            held = list(server.tokens)
            assert len(held) == 2
            await second.kill()

            async def again() -> bool:
                return await thing(world, first, token) == 200

            await until(again)
            closure = await ended(first, dies)

            async def dead() -> bool:
                return all(server.tokens[one].revoked_at is not None for one in held)

            await until(dead)
            (own,) = [one for one in server.tokens if one not in held]
            assert server.tokens[own].revoked_at is None, "of the task that lives on, its new one"
            assert closure["scope"] == f"task:{dies}"
            assert (await ended(first, lives))["closed"]
            assert server.tokens[own].revoked_at is not None


async def thing(world: PassingWorld, one: Replica, token: str) -> int:
    """Ask for a thing of the shop."""
    shown = {"authorization": f"Bearer {token}"}
    return (await world.ask(one, "GET", "/http/shop/things/t-1", shown)).status


def delegating(folder: Path) -> None:
    """Let tasks make six calls, and hand down to the other agent."""
    task = folder / "tasks" / "send-mail.yaml"
    task.write_text(
        task.read_text().replace(
            "grants:\n", "budgets: {calls: 6}\ndelegates: {to: [other-bot]}\ngrants:\n", 1
        )
    )


@pytest.mark.slow
async def test_children_spend_what_is_their_parents_wherever_they_call(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A family has one owner: of six calls six are made, through whichever replicas they come."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=3, prepare=delegating) as world:
        first, second, third = world.all
        task, token = await first.open_task()
        assert await sent(second, token, "parent") == ""
        child = await third.agent_token(
            "other-bot", grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS_TOKEN
        )
        codes = await asyncio.gather(
            *(
                sent(one, shown, f"{name}/{number}/{one.folder.name}")
                for number in range(4)
                for one in world.all
                for name, shown in (("parent", token), ("child", child))
            )
        )
        assert codes.count("") == 5, codes
        assert set(codes) - {""} <= {"budget-exhausted", "task-ended", "fenced"}
        assert len(world.outbox()) == 6
        closure = await ended(third, task)
        assert closure["closed"]
        assert {await sent(one, child, "after") for one in world.all} <= {
            "fenced",
            "task-ended",
            "budget-exhausted",
        }
        assert len(world.outbox()) == 6


MAILBOX = """
upstream: mail
tools:
  send:
    effect: reversible
    audience: internal
    labels: {class: public, trust: trusted}
    arguments:
      to: {role: selector}
      subject: {role: content}
      body: {role: content}
    resource: box
  inbox:
    effect: none
    audience: self
    labels: {class: public, trust: trusted}
    resource: box
"""


def shelved(folder: Path) -> None:
    """Two types of tasks on one box: what one writes there, of a higher class, the other reads."""
    (folder / "tools" / "mail.yaml").write_text(MAILBOX)
    task = folder / "tasks" / "send-mail.yaml"
    other = task.read_text().replace("task: send-mail", "task: confide\nlabels: {class: confidential}")
    (folder / "tasks" / "confide.yaml").write_text(other)


@pytest.mark.slow
async def test_labels_at_rest_that_one_replica_writes_another_one_reads(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A read takes on what was written at another replica, also what is written there while it is bound."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, prepare=shelved) as world:
        first, second = world.all

        async def read(token: str) -> str:
            with contextlib.closing(await Line.to(second.port)) as line:
                told = await second.mcp(line, token, "tools/call", {"name": "inbox", "arguments": {}})
            assert told.result is not None, told
            return ""

        async def label(task: str) -> Json:
            return (await first.ask("GET", f"/api/v1/tasks/{task}", by="root"))["label"]["data_class"]

        reader, reading = await first.open_task()
        await read(reading)
        assert await label(reader) == "public"
        _, writing = await first.open_task(task_type="confide")
        assert await sent(first, writing, "secret") == ""
        await read(reading)
        assert await label(reader) == "confidential"
        await second.kill()
        later, fresh = await first.open_task()
        with contextlib.closing(await Line.to(first.port)) as line:
            told = await first.mcp(line, fresh, "tools/call", {"name": "inbox", "arguments": {}})
        assert told.result is not None
        assert await label(later) == "confidential"


@pytest.mark.slow
async def test_a_token_that_is_bound_to_a_certificate(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """The connection ends at the replica that was asked; the owner hears what was shown there, and judges."""
    places = tmp_path / "tls"
    places.mkdir()
    certificate, key = identity(places, "server", host="127.0.0.1")
    thief = identity(places, "thief")
    tls = {"certificate": str(certificate), "key": str(key), "client_certificates": "ask"}

    def context(shown: tuple[Path, Path] | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=certificate)
        if shown is not None:
            made.load_cert_chain(*shown)
        return made

    async with passing_world(
        tmp_path, postgres, postgres_server, listen={"tls": tls}, replica={"tls_ca": str(certificate)},
        tls=context(None),
    ) as world:  # fmt: skip
        first, second = world.world.all
        task, _ = await first.open_task()
        pem = ECKey.import_key(first.cast["keys"]["mail-bot"]).as_pem(private=True)
        registered = serialization.load_pem_private_key(pem, None)
        assert isinstance(registered, ec.EllipticCurvePrivateKey)
        own = identity(places, "own", key=registered)
        first.tls = context(own)
        form = {"grant_type": "client_credentials", "client_id": "mail-bot", "mission_id": task}
        granted = await world.ask(first, "POST", "/oauth/token", {}, form=form)
        token = granted.json["access_token"]
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert set(claims["cnf"]) == {"x5t#S256"}
        for number, (one, shown) in enumerate(
            [(second, own), (first, own), (first, thief), (second, thief), (first, None), (second, None)]
        ):
            one.tls = context(shown)
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "send", "arguments": a_mail(str(number)), "_meta": META},
            }
            headers = {"authorization": f"Bearer {token}", **modern()}
            given = await world.ask(one, "POST", "/mcp/mail", headers, body)
            if shown == own:
                assert not own_failure(given.json), given
            else:
                assert (given.status, given.json["error"]["data"]["code"]) == (401, "token-unproven")
        for one in (first, second):
            one.tls = context(own)
        assert await first.counted("to others") >= 1
        assert [mail["subject"] for mail in world.world.outbox()] == ["0", "1"]
