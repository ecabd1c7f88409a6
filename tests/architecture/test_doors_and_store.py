# SPDX-License-Identifier: Apache-2.0
"""Doors speak to services, and services to the store."""

import ast

from tests.architecture.tree import HOUSE, SourceFile

DOORS = ("src/remit/api/", "src/remit/gateway/", "src/remit/console/")
STORE = "remit.ports.store"


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
