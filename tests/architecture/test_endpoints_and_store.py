# SPDX-License-Identifier: Apache-2.0
"""Endpoints speak to the services that they are handed, and services to the store."""

import ast

from tests.architecture.tree import SOURCES, SourceFile

ENDPOINTS = ("src/remit/api/", "src/remit/gateway/", "src/remit/console/")
STORE = "remit.ports.store"
#: Where each endpoint is handed the services that it uses.
WIRING = {
    "src/remit/api/app.py",
    "src/remit/api/rooms.py",
    "src/remit/gateway/endpoints.py",
    "src/remit/gateway/ext_authz/assembly.py",
}


def endpoints() -> list[SourceFile]:
    """The modules of the endpoints."""
    return [file for file in SOURCES if file.name.startswith(ENDPOINTS)]


def test_no_endpoint_touches_the_store() -> None:
    """No module of an endpoint reads an attribute `store`, of the services or of anything else."""
    touches = [
        f"{file.name}:{node.lineno}"
        for file in endpoints()
        for node in ast.walk(file.syntax)
        if isinstance(node, ast.Attribute) and node.attr == "store"
    ]
    assert endpoints()
    assert not touches


def test_no_endpoint_imports_the_port_of_the_store() -> None:
    """Neither the Protocols of the store nor its changes are known to an endpoint."""
    assert not [
        f"{file.name}: {module}"
        for file in endpoints()
        for _, module, name in file.imports()
        if f"{module}.{name}".startswith(STORE)
    ]


def test_only_what_wires_an_endpoint_knows_all_services() -> None:
    """An endpoint names the rooms that it works with, never the whole."""
    knows = {
        file.name
        for file in endpoints()
        for _, module, _ in file.imports()
        if module.startswith("remit.services.assembly")
    }
    assert knows == WIRING
