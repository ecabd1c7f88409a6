# SPDX-License-Identifier: Apache-2.0
"""The REST examples as a newcomer runs them: both APIs, `remit up` and `remit run`, all processes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.architecture.tree import ROOT
from tests.gateways.remit_up import CODE, Remit

Json = Any

EXAMPLES = ROOT / "examples"
KEY = "the-key-of-the-customers-api"
SECRET = "the-secret-at-the-payments-api"
_RUNNING = re.compile(r"Uvicorn running on http://127\.0\.0\.1:(\d+)")


class RestGateway:
    """Remit before both APIs, with ana (service), ben (accounting), omar (approver) and their agents."""

    def __init__(self, remit: Remit, folder: Path, ports: dict[str, int]) -> None:
        self.remit = remit
        self.folder = folder
        self.ports = ports

    def run(self, who: str, agent: str, task: str, params: tuple[str, ...], *asked: str) -> list[Json]:
        """Run the example's agent inside a task; gives what it printed, one answer for each request."""
        options = [word for one in params for word in ("-p", one)]
        program = [sys.executable, str(EXAMPLES / "rest" / "agent.py"), *asked]
        command = ["run", "--as", who, "--agent", agent, "--task", task, *options, "--", *program]
        said = self.remit.apart(*command)
        assert said.code == 0, said.err
        return [json.loads(line) for line in said.out.splitlines()]

    def serve(self, customer: str, *asked: str) -> list[Json]:
        """Work for one customer at ana's word."""
        return self.run("ana", "service-bot", "answer-customer", (f"customer={customer}",), *asked)

    def pay(self, payee: str, cents: int, *asked: str) -> list[Json]:
        """Pay one invoice at ben's word."""
        params = (f"payee={payee}", f"amount_cents:={cents}")
        return self.run("ben", "payment-bot", "pay-invoice", params, *asked)

    def paid(self) -> list[Json]:
        """Return what was really paid."""
        file = self.folder / "payments" / "payments.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@contextmanager
def api_server(name: str, folder: Path, **env: str) -> Iterator[int]:
    """Run one of the example APIs; gives its port."""
    log = folder.parent / f"{name}.log"
    with log.open("wb") as file:
        command = [sys.executable, str(EXAMPLES / "servers" / f"{name}.py"), str(folder), "--port", "0"]
        process = subprocess.Popen(command, stderr=file, stdout=file, env={"PATH": "", **env})
    try:
        until = time.monotonic() + 60
        while not (found := _RUNNING.search(log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(60)


def lay_out(folder: Path, ports: dict[str, int]) -> None:
    """Put the example's bundle beside what `remit init` writes, with the ports that the APIs have."""
    for place in ("tools", "tasks"):
        shutil.rmtree(folder / place)
    shutil.copytree(EXAMPLES / "rest" / "bundle", folder, dirs_exist_ok=True)
    config = (folder / "remit.yaml").read_text()
    for name, usual in (("customers", "8101"), ("payments", "8102")):
        config = config.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{ports[name]}")
    (folder / "remit.yaml").write_text(config)


@contextmanager
def rest_gateway(folder: Path) -> Iterator[RestGateway]:
    """Provide the gateway, and end all of it."""
    records, payments = folder / "customers", folder / "payments"
    shutil.copytree(EXAMPLES / "rest" / "records", records)
    payments.mkdir()
    with (
        api_server("customers", records, CUSTOMERS_KEY=KEY) as customers,
        api_server("payments", payments, PAYMENTS_SECRET=SECRET) as paying,
    ):
        ports = {"customers": customers, "payments": paying}
        remit = Remit(folder / "house")
        remit.env |= {"CUSTOMERS_KEY": KEY, "PAYMENTS_SECRET": SECRET}
        remit.folder.mkdir()
        assert remit("init", ".").code == 0
        lay_out(remit.folder, ports)
        remit.start()
        found = CODE.search(remit.log.read_text())
        assert found, remit.log.read_text()
        assert remit("login", "--code-stdin", given=found[0]).code == 0
        for name in ("ana", "ben"):
            assert remit("person", "add", name).code == 0
            remit.sign_in(name)
        assert remit("person", "add", "omar", "--role", "approver").code == 0
        remit.sign_in("omar")
        for agent, owner in (("service-bot", "ana"), ("payment-bot", "ben")):
            command = ("agent", "register", agent, "--owner", owner, "--purpose", "works at the APIs")
            assert remit(*command).code == 0
        try:
            yield RestGateway(remit, folder, ports)
        finally:
            remit.stop()
