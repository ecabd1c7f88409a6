# SPDX-License-Identifier: Apache-2.0
"""The source tree as syntax: what the code rules are checked on."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """One Python file of this repository; `name` is its path from the root, with forward slashes."""

    path: Path

    @property
    def name(self) -> str:
        """Where it is, as the lists of exceptions write it."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def syntax(self) -> ast.Module:
        """The file as Python reads it."""
        return ast.parse(self.text, self.name)

    def functions(self) -> Iterator[Function]:
        """Each function and method, nested ones included."""
        for node in ast.walk(self.syntax):
            if isinstance(node, Function):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """Each class at the top of the module."""
        for node in self.syntax.body:
            if isinstance(node, ast.ClassDef):
                yield node

    def imports(self) -> Iterator[tuple[ast.AST, str, str | None]]:
        """Each import as (node, module, name); name is None for `import module`."""
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, alias.name, None
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield node, node.module or "", alias.name


def source_files(*folders: str) -> list[SourceFile]:
    """All Python files below these folders of the root, in order."""
    return [SourceFile(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


SOURCES = source_files("src/remit", "sdk/src/remit_sdk")
EVERYTHING = source_files("src", "sdk/src", "tests", "bench", "examples", "docs")


def verdict(found: Mapping[str, object], allowed: Mapping[str, str]) -> list[str]:
    """What is found and not allowed, and what is allowed and no longer found."""
    broken = [f"{name}: {detail}" for name, detail in sorted(found.items()) if name not in allowed]
    stale = [f"{name}: listed as an exception, needs none" for name in sorted(allowed) if name not in found]
    return broken + stale
