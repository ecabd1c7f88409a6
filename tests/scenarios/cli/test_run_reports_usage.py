# SPDX-License-Identifier: Apache-2.0
"""A program under `remit run` reports its model calls without a token, by OpenTelemetry's own variables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from tests.gateways.live_gateway import LiveGateway
from tests.samples.otlp import BINARY

Json = Any

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tells the owner of a socket by /proc")
RUN = ("run", "--agent", "note-bot", "--task", "sweep", "--alone", "--")
#: What an exporter does: one POST to the endpoint of its variables, in their protocol.
EXPORTER = f"""
import os, urllib.request
assert os.environ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] == "http/protobuf"
url, body = os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], bytes.fromhex("{BINARY.hex()}")
asked = urllib.request.Request(url, body, {{"Content-Type": "application/x-protobuf"}})
for _ in range(2):
    with urllib.request.urlopen(asked) as answer:
        print(answer.status, answer.read()[:4])
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """One gateway for all."""
    with LiveGateway(tmp_path_factory.mktemp("gateway")) as one:
        yield one


def used(gateway: LiveGateway, task: str) -> list[tuple[str, int]]:
    """The model calls that are recorded for a task."""
    log = gateway.services.evidence.log
    entries = gateway.wait(log.pages(limit=1000, kinds=(EventKind.MODEL_USED,)))
    leaves = [json.loads(one.leaf) for one in entries]
    return [(one["facts"]["model"], one["facts"]["input_tokens"]) for one in leaves if one["task"] == task]


def test_a_program_reports_without_a_token(gateway: LiveGateway) -> None:
    """Its spans count for its task, each once, also where the exporter sends a batch again."""
    done = gateway.remit(*RUN, sys.executable, "-c", EXPORTER)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "200 b'\\n,\\x08\\x01'\n" * 2
    assert used(gateway, gateway.tasks()[0].id) == [("m-1", 12)]


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_exporter_that_is_configured_already_is_left_alone(gateway: LiveGateway, name: str) -> None:
    """The person reads how the program can report."""
    own = {name: "http://collector.example:4318"}
    done = gateway.remit(*RUN, "env", env=own)
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert {key: value for key, value in told.items() if key.startswith("OTEL_EXPORTER")} == own
    assert told["REMIT_USAGE_URL"].startswith("http://127.0.0.1:")
    assert f"`{name}` is set" in done.stderr
    assert "$REMIT_USAGE_URL" in done.stderr
