# SPDX-License-Identifier: Apache-2.0
"""`core` is pure: time and random bytes come in as arguments, and nothing goes out."""

import ast

from tests.architecture import exceptions
from tests.architecture.tree import SOURCES, SourceFile, verdict

CORE = [file for file in SOURCES if file.name.startswith("src/remit/core/")]
PORTS = [file for file in SOURCES if file.name.startswith("src/remit/ports/")]

# All that core may import; import-linter's list of forbidden modules says the same from the other side.
ALLOWED_IN_CORE = {
    # of the standard library, what only computes; `ctypes` calls the native reader
    "__future__", "abc", "array", "ast", "base64", "binascii", "bisect", "collections", "contextlib", "copy",
    "csv", "ctypes", "dataclasses", "datetime", "decimal", "enum", "fnmatch", "fractions", "functools",
    "hashlib", "heapq", "hmac", "html", "ipaddress", "itertools", "json", "math", "operator", "posixpath",
    "re", "shlex", "string", "struct", "tomllib", "types", "typing", "unicodedata", "urllib", "warnings",
    "zoneinfo",
    # of others, what only computes
    "ada_url", "cryptography", "google", "idna", "joserfc", "msgspec", "networkx", "orjson", "re2", "rfc8785",
    "tree_sitter", "tree_sitter_bash", "yaml",
    # itself
    "remit",
}  # fmt: skip

# Names that read a clock, draw entropy or reach outside although their modules are allowed.
READS_THE_WORLD = {
    "now", "utcnow", "today", "urandom", "uuid1", "uuid4", "token_bytes", "token_hex", "token_urlsafe",
    "randbytes", "getrandbits", "generate_private_key", "generate", "generate_key", "urlopen",
    "read_text", "read_bytes", "write_text", "write_bytes",
}  # fmt: skip
REACHES_OUT = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}


def impure_calls(file: SourceFile) -> list[str]:
    """The calls of a file that read the world or reach out, as `file:line name`."""
    found = []
    for node in ast.walk(file.syntax):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in READS_THE_WORLD:
            found.append(f"{file.name}:{node.lineno} .{called.attr}()")
        elif isinstance(called, ast.Name) and called.id in REACHES_OUT | READS_THE_WORLD:
            found.append(f"{file.name}:{node.lineno} {called.id}()")
    return found


def test_core_imports_only_what_computes() -> None:
    """Every import of core is on the list of pure modules."""
    strange = [
        f"{file.name} imports {module}"
        for file in CORE
        for _, module, _ in file.imports()
        if module.partition(".")[0] not in ALLOWED_IN_CORE
        or module.startswith(("urllib.request", "urllib.error"))
    ]
    assert not strange


def test_core_reads_no_clock_and_draws_no_entropy() -> None:
    """No call in core reads the time, draws random bytes, opens a file or prints."""
    assert not [call for file in CORE for call in impure_calls(file)]


def test_core_keeps_no_state_of_its_own() -> None:
    """No function of core rebinds a name of its module."""
    assert not [
        f"{file.name}:{node.lineno}"
        for file in CORE
        for node in ast.walk(file.syntax)
        if isinstance(node, ast.Global)
    ]


def test_core_is_not_asynchronous() -> None:
    """Core awaits nothing but in listed files: a conversation is a generator that is sent its answers."""
    found = {
        file.name: [node.lineno for node in nodes]
        for file in CORE
        if (
            nodes := [
                node
                for node in ast.walk(file.syntax)
                if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor)
            ]
        )
    }
    assert not verdict(found, exceptions.AWAITS_IN_CORE)


def test_the_nine_steps_await_the_steps_alone() -> None:
    """A path awaits methods of the steps that it is handed, and functions to which it hands these."""
    [path] = [file for file in CORE if file.name in exceptions.AWAITS_IN_CORE]
    awaited = [node.value for node in ast.walk(path.syntax) if isinstance(node, ast.Await)]
    assert awaited
    assert not [
        ast.unparse(one)
        for one in awaited
        if not ast.unparse(one).startswith("steps.")
        and not (isinstance(one, ast.Call) and one.args and ast.unparse(one.args[0]) == "steps")
    ]


def test_ports_are_protocols_with_a_docstring_on_every_method() -> None:
    """Each method of a port says what holds when it returns."""
    silent = []
    for file in PORTS:
        for node in file.classes():
            is_protocol = any(ast.unparse(base).startswith("Protocol") for base in node.bases)
            if not is_protocol:
                continue
            silent += [
                f"{file.name}::{node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                and ast.get_docstring(method) is None
            ]
    assert not silent
