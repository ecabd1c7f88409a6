# SPDX-License-Identifier: Apache-2.0
"""Threat: an agent uses up the tokens of another task, or a report that is no report breaks something."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.core.tasks.model_usage import MAX_PARTS
from tests.samples.otlp import BINARY
from tests.worlds.services import ServiceWorld, Told, service_world

Json = Any
PATH = "/api/v1/otlp/v1/traces"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway behind its management endpoints."""
    async with service_world(tmp_path) as made:
        yield made


def exported(*tokens: Json) -> dict[str, Json]:
    """A report of model calls, as an exporter of OpenTelemetry sends it."""
    spans = [
        {
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": f"eee19b7ec3c1b17{number}",
            "name": "chat m-1",
            "kind": 3,
            "attributes": [
                {"key": "gen_ai.response.model", "value": {"stringValue": "m-1"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": count}},
            ],
        }
        for number, count in enumerate(tokens)
    ]
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}


async def tasked(world: ServiceWorld) -> tuple[str, str]:
    """Open a task; return it with its token for the management interface."""
    task = await world.open(await world.session("lena"))
    return task, str((await world.task_token(task)).json["access_token"])


async def used(world: ServiceWorld) -> list[tuple[str, Json]]:
    """The tasks for which model calls are recorded, with their tokens."""
    entries = await world.services.evidence.log.pages(limit=1000, kinds=(EventKind.MODEL_USED,))
    leaves = [json.loads(one.leaf) for one in entries]
    return sorted((one["task"], one["facts"]["input_tokens"]) for one in leaves)


async def send(world: ServiceWorld, body: Json, by: str) -> Told:
    """Send a report."""
    return await world.ask("POST", PATH, body, by=by)


async def test_a_report_counts_for_the_task_of_its_token(world: ServiceWorld) -> None:
    """Whatever it says itself; the answer is that of the protocol."""
    task, token = await tasked(world)
    other, _ = await tasked(world)
    body = exported("12", 30)
    body["resourceSpans"][0]["resource"]["attributes"] = [
        {"key": "remit.task", "value": {"stringValue": other}}
    ]
    told = await send(world, body, token)
    assert (told.status, told.json) == (200, {"partialSuccess": {}})
    assert await used(world) == [(task, 12), (task, 30)]
    assert (await send(world, body, token)).status == 200
    assert len(await used(world)) == 2


async def test_nobody_reports_without_the_token_of_a_task(world: ServiceWorld) -> None:
    """Neither a person, nor an agent without a task, nor anyone else."""
    person = await world.session("root")
    agent = await world.agent_token()
    for by in (person, agent, ""):
        assert (await send(world, exported(1), by)).status in (401, 403)
    assert await used(world) == []


async def test_spans_that_cannot_be_read_are_named(world: ServiceWorld) -> None:
    """The others count."""
    task, token = await tasked(world)
    told = await send(world, exported("12", "-1", "x"), token)
    assert told.json["partialSuccess"]["rejectedSpans"] == 2
    assert await used(world) == [(task, 12)]


@pytest.mark.parametrize("body", [[], {"resourceSpans": 1}, exported(*range(2001))])
async def test_what_is_no_report_is_refused(world: ServiceWorld, body: Json) -> None:
    """Nothing of it counts."""
    _, token = await tasked(world)
    assert (await send(world, body, token)).status == 400
    assert await used(world) == []


PROTOBUF = {"content-type": "application/x-protobuf"}


async def test_the_binary_encoding_says_the_same(world: ServiceWorld) -> None:
    """SDKs for Python send it; the answer has the same encoding. A span counts once in either."""
    task, token = await tasked(world)
    told = await world.ask("POST", PATH, by=token, content=BINARY, headers=PROTOBUF)
    assert (told.status, told.headers["content-type"]) == (200, "application/x-protobuf")
    # An ExportTraceServiceResponse: one rejected span, and why.
    assert told.content == b"\n,\x08\x01\x12(their ids or token counts cannot be read"
    assert await used(world) == [(task, 12)]
    body = exported("12")
    body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "5B8EFFF798038103D269B633813FC60C"
    assert (await send(world, body, token)).status == 200
    assert await used(world) == [(task, 12)]


@pytest.mark.parametrize("content", [b"\xff", BINARY[:-3], b"{}"])
async def test_bytes_that_are_no_report_are_refused(world: ServiceWorld, content: bytes) -> None:
    """Nothing of it counts."""
    _, token = await tasked(world)
    assert (await world.ask("POST", PATH, by=token, content=content, headers=PROTOBUF)).status == 400
    assert await used(world) == []


def nested(content: bytes, *tags: int) -> bytes:
    """Content in messages of the binary encoding, the innermost first."""
    for tag in tags:
        size, length = len(content), bytearray()
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        content = bytes([tag, *length, size]) + content
    return content


@pytest.mark.parametrize(
    ("part", "around"),
    [(b"\x0a\0", ()), (b"\x12\0", (0x0A,)), (b"\x4a\0", (0x12, 0x12, 0x0A))],
    ids=["resources", "scopes", "attributes"],
)
async def test_a_small_report_of_many_empty_parts_is_not_read(
    world: ServiceWorld, part: bytes, around: tuple[int, ...]
) -> None:
    """Each takes two bytes on the wire, and would take hundreds in memory."""
    _, token = await tasked(world)
    many = nested(part * (MAX_PARTS + 1), *around)
    told = await world.ask("POST", PATH, by=token, content=many, headers=PROTOBUF)
    assert told.status == 400
    assert "smaller batches" in told.json["remediation"]
