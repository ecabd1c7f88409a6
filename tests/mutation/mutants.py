# SPDX-License-Identifier: Apache-2.0
"""Every mutant of a module: what mutmut changes, less what only people read."""

import ast
import difflib
import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import (
    get_mutant_name,
    mangled_name_from_mutant_name,
    orig_function_and_class_names_from_key,
)

from tests.mutation.operators import extend

extend()

TELLING = ("describe", "why", "_why", "__repr__", "__str__")
"""How functions begin that give words for people, and decide nothing."""
TOLD = frozenset(("remediation", "debug"))
"""What every fault takes for people alone."""
WORDS = TOLD | {"file", "line", "key"}
"""What a fault says beside its code, where it is raised."""
ENCODINGS = frozenset(("ascii", "utf-8"))
"""Names whose case says nothing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function; `before` and `after` are the changed lines, each as one line."""

    module: str
    function: str
    before: str
    after: str
    name: str
    """How mutmut calls it; it shifts with every edit of the function, so nothing is kept by it."""

    def __str__(self) -> str:
        return f"{self.module} {self.function}\n  - {self.before}\n  + {self.after}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the change is, wherever in the file it stands."""
        return self.module, self.function, self.before, self.after

    def rank(self, seed: str) -> bytes:
        """Its place in the order of a sample: an edit elsewhere does not move it."""
        return hashlib.sha256("\0".join((seed, *self.key)).encode()).digest()


def path_of(module: str) -> Path:
    """Return the file of a module of remit, from the root of the repository."""
    path = Path("src/remit", *module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def mutants_of(module: str) -> list[Mutant]:
    """Return every mutant of a module that may change more than words."""
    path = path_of(module)
    made = mutate_file_contents(str(path), path.read_text(encoding="utf-8"))
    sources = dict(_functions(made.code))
    mutants = []
    for name in made.mutant_names:
        original = sources[f"{mangled_name_from_mutant_name(name)}__mutmut_orig"]
        function, owner = orig_function_and_class_names_from_key(name)
        changed = _changed(original, sources[name])
        if changed is not None and not function.startswith(TELLING):
            whole = f"{owner}.{function}" if owner else function
            mutants.append(Mutant(module, whole, *changed, name=get_mutant_name(path, name)))
    return mutants


def _functions(code: str) -> Iterator[tuple[str, str]]:
    """Yield each function and method of a module by its name, with its source under one name for all."""
    lines = code.split("\n")
    tree = ast.parse(code)
    inner = [one for owner in tree.body if isinstance(owner, ast.ClassDef) for one in owner.body]
    for node in (*tree.body, *inner):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            source = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
            yield node.name, source.replace(node.name, "it", 1)


def _changed(old: str, new: str) -> tuple[str, str] | None:
    """Return what the lines of a function were and became; None where the change is one of words."""
    if _meaning(old) == _meaning(new):
        return None
    lines = list(difflib.unified_diff(old.split("\n"), new.split("\n"), n=0))[3:]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return before, after


def _meaning(source: str) -> str:
    return ast.dump(_Unsaid().visit(ast.parse(source)))


class _Unsaid(ast.NodeTransformer):
    """Leave out what a fault tells people, and every text with a blank in it: no code of remit has one. The
    case of the name of an encoding says nothing, either.
    """

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = []
            node.exc.keywords = [one for one in node.exc.keywords if one.arg not in WORDS]
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [one for one in node.keywords if one.arg not in TOLD]
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        named = zip(reversed(node.args), reversed(node.defaults), strict=False)
        node.defaults = [ast.Constant("") if one.arg in TOLD else value for one, value in named]
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        low = node.value.lower()
        return ast.Constant("" if " " in low.strip() else low if low in ENCODINGS else node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        told = any(isinstance(one, ast.Constant) and " " in str(one.value) for one in node.values)
        return ast.Constant("") if told else self.generic_visit(node)
