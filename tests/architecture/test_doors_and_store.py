# SPDX-License-Identifier: Apache-2.0
"""Doors speak to the services that they are handed, and services to the store."""

import ast

from tests.architecture.tree import HOUSE, SourceFile

DOORS = ("src/remit/api/", "src/remit/gateway/", "src/remit/console/")
STORE = "remit.ports.store"
#: Where each door is handed the services that it uses.
WIRING = {"src/remit/api/app.py", "src/remit/api/rooms.py", "src/remit/gateway/endpoints.py"}


def doors() -> list[SourceFile]:
    """The modules of the doors."""
    return [file for file in HOUSE if file.name.startswith(DOORS)]


def test_no_door_touches_the_store() -> None:
    """No module of a door reads an attribute `store`, of the services or of anything else."""
    touches = [
        f"{file.name}:{node.lineno}"
        for file in doors()
        for node in ast.walk(file.syntax)
        if isinstance(node, ast.Attribute) and node.attr == "store"
    ]
    assert doors()
    assert not touches


def test_no_door_imports_the_port_of_the_store() -> None:
    """Neither the Protocols of the store nor its changes are known to a door."""
    assert not [
        f"{file.name}: {module}"
        for file in doors()
        for _, module, name in file.imports()
        if f"{module}.{name}".startswith(STORE)
    ]


def test_only_what_wires_a_door_knows_all_services() -> None:
    """An endpoint names the rooms that it works with, never the whole."""
    knows = {
        file.name
        for file in doors()
        for _, module, _ in file.imports()
        if module.startswith("remit.services.assembly")
    }
    assert knows == WIRING
