# SPDX-License-Identifier: Apache-2.0
"""An upstream's words have one way to an agent: through `services.flow.observation`, as a `Delivery`.

That is held here by what modules may name. An endpoint that cannot name a raw message, a catalogue or the
surface of a tool cannot write one; and what a fault of an adapter says is made of names that remit gave.
"""

import ast
from collections.abc import Iterable, Iterator

from tests.architecture import exceptions
from tests.architecture.tree import SOURCES, SourceFile, verdict

ENDPOINTS = ("src/remit/gateway/", "src/remit/relay/", "sdk/src/remit_sdk/")
#: What an upstream said and no task has taken in, by the names under which it goes through remit.
RAW_NAMES = {"Chunk", "Catalogue", "Exchange", "Upstream", "Offering", "ListedEntry"}
RAW_MODULES = ("remit.adapters.upstream", "remit.services.flow.tool_results")
RAW_MEMBERS = {
    "catalogue", "offered", "surface", "input_schema", "accepted_surface", "offered_surface", "instructions",
    "resource_templates",
}  # fmt: skip
#: Whose faults may reach an agent as remit's own words.
ADAPTERS = "src/remit/adapters/upstream/"
FAULTS = {"UpstreamFault", "UpstreamUnreachable", "broken", "HttpRefused", "_broken", "_refuse", "_too_large"}
#: What their texts may be made of: names, bounds and numbers that are remit's, and states of HTTP.
OWN_WORDS = {
    "name", "self.name", "self._name", "self._side.name", "self._sender.name", "self._session.name",
    "self._origin", "self._command[0]", "status", "head.status", "method", "what", "how", "remediation",
    "unit",
    "limit", "most", "seconds", "timeout_s", "self._ask_timeout_s", "self._limits.max_connections",
    "self._max_event_bytes", "self._most", "self._limit", "MAX_PAGES", "MAX_BYTES", "MAX_SESSIONS", "task",
    "', '.join((*LEGACY_VERSIONS, *MODERN_VERSIONS))", "error.verify_message", "route.name",
}  # fmt: skip


def endpoints() -> list[SourceFile]:
    """Return the files whose bytes an agent gets."""
    return [file for file in SOURCES if file.name.startswith(ENDPOINTS)]


def called(node: ast.Call) -> str:
    """Return the name of what is called."""
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def calls(files: Iterable[SourceFile]) -> Iterator[tuple[SourceFile, ast.Call]]:
    """Yield each call in some files."""
    for file in files:
        for node in ast.walk(file.syntax):
            if isinstance(node, ast.Call):
                yield file, node


def test_deliveries_are_made_in_one_place() -> None:
    """What an agent may be handed is made where it was taken in, and copied with changes nowhere."""
    made = {file.name for file, node in calls(SOURCES) if called(node) == "Delivery"}
    assert made == {"src/remit/services/flow/observation.py"}
    copied = {
        f"{file.name}:{node.lineno}"
        for file, node in calls(endpoints())
        if called(node) == "replace" and any(word.arg == "body" for word in node.keywords)
    }
    assert not copied


def test_every_sink_takes_deliveries() -> None:
    """Nothing else can be released: not a chunk as it came."""
    takes = {
        f"{file.name}::{function.name}": ast.unparse(function.args.args[1].annotation or ast.Constant(""))
        for file in SOURCES
        for function in file.functions()
        if function.name == "release" and isinstance(function, ast.AsyncFunctionDef)
        if len(function.args.args) > 1 and function.args.args[1].arg == "chunk"
    }
    assert len(takes) > 4
    assert set(takes.values()) == {"Delivery"}


def test_endpoints_name_nothing_that_no_task_has_taken_in() -> None:
    """No raw message, no catalogue, no surface of a tool."""
    found: dict[str, list[str]] = {}
    for file in endpoints():
        said = [
            f"{module}.{name}"
            for _, module, name in file.imports()
            if name in RAW_NAMES or f"{module}.{name}".startswith(RAW_MODULES)
        ]
        said += [
            f"line {node.lineno}: `.{node.attr}`"
            for node in ast.walk(file.syntax)
            if isinstance(node, ast.Attribute) and node.attr in RAW_MEMBERS
        ]
        if said:
            found[file.name] = said
    assert not verdict(found, exceptions.RAW_IN_ENDPOINTS)


def test_faults_of_upstreams_are_told_in_own_words() -> None:
    """What an upstream chose stands in `debug`, which no agent gets."""
    found: dict[str, list[str]] = {}
    for file, node in calls(file for file in SOURCES if file.name.startswith(ADAPTERS)):
        if called(node) not in FAULTS:
            continue
        for part in (*node.args, *(word.value for word in node.keywords if word.arg != "debug")):
            for one in ast.walk(part):
                if isinstance(one, ast.FormattedValue) and ast.unparse(one.value) not in OWN_WORDS:
                    found.setdefault(file.name, []).append(f"line {node.lineno}: `{ast.unparse(one.value)}`")
    assert not found
