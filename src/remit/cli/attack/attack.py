# SPDX-License-Identifier: Apache-2.0
"""`remit doctor --attack CLIENT`: the real client, a scripted model, and what held."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from remit.cli.attack import isolation
from remit.cli.attack.cells import CellResult, judged, plan
from remit.cli.attack.stage import attack_stage
from remit.cli.attack.stage_clients import rig_of
from remit.cli.guard import clients
from remit.cli.output import terminal
from remit.core.errors import NotFound, RemitError
from remit.core.json_value import Json


def attack(client: str, only: str = "") -> int:
    """Attack a client's guard; return 0 if everything held that can be enforced. `only` selects cells."""
    settings = clients.client(client)
    client = settings.name
    rig_of(client)
    found = shutil.which(settings.program)
    if found is None:
        raise NotFound(
            f"`{settings.program}` is not on the PATH", remediation=f"install {client}, then try again"
        )
    if not isolation.is_inside() and isolation.can_isolate():
        with tempfile.TemporaryDirectory(prefix="remit-attack-") as work:
            return isolation.run_inside([sys.executable, "-P", "-m", "remit", *sys.argv[1:]], Path(work))
    # The program itself, not a link: its folder goes on the PATH of the stage.
    program = Path(found)
    version = clients.version_of(settings)
    results = []
    with tempfile.TemporaryDirectory(prefix="remit-attack-") as work:
        for number, (cell, scope) in enumerate(plan(client, managed=isolation.is_inside())):
            if only and only not in cell.name:
                continue
            try:
                folder, managed = Path(work) / str(number), scope == "managed"
                with attack_stage(folder, program, managed=managed, client=client) as stage:
                    result = judged(cell, scope, stage, cell.run(stage))
            except RemitError as fault:
                result = CellResult(cell.name, scope, None, fault.message, 0.0)
            results.append(result)
            if not terminal.is_json():
                _line(result)
    return _told(client, version, results)


def _line(result: CellResult) -> None:
    word, style = {True: ("held", "green"), False: ("NOT HELD", "bold red"), None: ("not tried", "yellow")}[
        result.held
    ]
    text = terminal.text(f"{word:<10}", style).append(f"{result.scope:<9}{result.name}")
    terminal.say(text.append(f"  {result.note}", style="dim") if result.note else text)


def _told(client: str, version: str, results: list[CellResult]) -> int:
    held = sum(one.held is True for one in results)
    lost = [one for one in results if one.held is False]
    untried = sum(one.held is None for one in results)
    unexpected = [one for one in lost if not one.note.startswith("not enforceable")]
    if terminal.is_json():
        told: dict[str, Json] = {
            "client": client,
            "version": version,
            "isolated": isolation.is_inside(),
            "cells": [one._asdict() for one in results],
        }
        terminal.answer(told)
    else:
        place = (
            "in namespaces without a network" if isolation.is_inside() else "on loopback, without namespaces"
        )
        terminal.say("")
        terminal.say(
            f"{client} {version}, {place}: {held} of {len(results)} cells held, "
            f"{len(lost) - len(unexpected)} are not enforceable, {len(unexpected)} failed, "
            f"{untried} not tried."
        )
        if not isolation.is_inside():
            terminal.say("Managed settings were not tried: this system gives no namespaces.", style="yellow")
    return 1 if unexpected or untried else 0
