# SPDX-License-Identifier: Apache-2.0
"""The rules of CONTRIBUTING.md that a machine can check and import-linter does not."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.architecture import exceptions
from tests.architecture.tree import EVERYTHING, SOURCES, Function, SourceFile, verdict

SPDX = "# SPDX-License-Identifier: Apache-2.0"
MAX_MODULE_LINES = 600
MAX_MODULES_OF_FOLDER = 20
MAX_FUNCTION_LINES = 60
EMPTY_WORDS = ("Manager", "Helper", "Handler", "Engine", "Util")
EMPTY_MODULES = {"utils", "util", "common", "helpers", "helper", "misc", "manager"}


def function_length(function: Function) -> int:
    """Lines of a function from its `def` to its end, its docstring not counted."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def late_imports(file: SourceFile) -> Iterable[ast.stmt]:
    """The imports inside functions of a file."""
    for function in file.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Whether an except clause takes whatever comes."""
    caught = handler.type
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"})
        for name in names
    )


def reraises(handler: ast.ExceptHandler) -> bool:
    """Whether an except clause ends by raising again, which cleans up and hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_each_source_file_names_its_licence() -> None:
    """The SPDX line stands first, or directly below a shebang, in every Python file."""
    bare = []
    for file in EVERYTHING:
        lines = file.text.splitlines()
        at = 1 if lines and lines[0].startswith("#!") else 0
        if len(lines) <= at or lines[at] != SPDX:
            bare.append(file.name)
    assert not bare


def test_each_module_says_what_it_is() -> None:
    """Every module of the source begins with a docstring."""
    assert not [file.name for file in SOURCES if ast.get_docstring(file.syntax) is None]


def test_each_public_class_name_has_one_home() -> None:
    """No two modules of the source define a public class of the same name."""
    homes: dict[str, list[str]] = defaultdict(list)
    for file in SOURCES:
        for node in file.classes():
            if not node.name.startswith("_"):
                homes[node.name].append(file.name)
    shared = {name: ", ".join(files) for name, files in homes.items() if len(files) > 1}
    assert not verdict(shared, exceptions.SHARED_NAMES)


def test_modules_stay_readable_in_one_sitting() -> None:
    """A module has at most 600 lines."""
    long = {file.name: n for file in EVERYTHING if (n := len(file.text.splitlines())) > MAX_MODULE_LINES}
    assert not verdict(long, exceptions.LONG_MODULES)


def test_a_folder_holds_few_modules() -> None:
    """A folder of the source has at most 20 modules."""
    modules = Counter(str(Path(file.name).parent) for file in SOURCES)
    assert max(modules.values()) <= MAX_MODULES_OF_FOLDER, modules.most_common(3)


def test_each_room_says_what_it_is_for_and_what_it_is_not() -> None:
    """The face of a room of core or services is more than a title."""
    rooms = [
        file for file in SOURCES if re.fullmatch(r"src/remit/(core|services)/\w+/__init__\.py", file.name)
    ]
    assert len(rooms) > 20
    assert not [file.name for file in rooms if "\n\n" not in (ast.get_docstring(file.syntax) or "")]


def test_functions_fit_on_a_screen() -> None:
    """A function has at most 60 lines, its docstring not counted."""
    long = {
        f"{file.name}::{function.name}": length
        for file in EVERYTHING
        for function in file.functions()
        if (length := function_length(function)) > MAX_FUNCTION_LINES
    }
    assert not verdict(long, exceptions.LONG_FUNCTIONS)


def test_names_say_something() -> None:
    """No class is a Manager, Helper, Handler or Engine; no module is called utils or common."""
    classes = {
        node.name: file.name
        for file in SOURCES
        for node in file.classes()
        if any(word in node.name for word in EMPTY_WORDS)
    }
    modules = {file.name for file in SOURCES if EMPTY_MODULES & set(file.name.removesuffix(".py").split("/"))}
    assert not verdict(classes, exceptions.EMPTY_NAMES)
    assert not modules


def test_imports_stand_at_the_top() -> None:
    """Imports inside functions would hide circles; only the command line, which must start fast, has them."""
    late = {
        file.name: [node.lineno for node in found]
        for file in SOURCES
        if not file.name.startswith("src/remit/cli/") and (found := list(late_imports(file)))
    }
    assert not verdict(late, exceptions.LATE_IMPORTS)


def test_only_the_edges_catch_everything() -> None:
    """A clause that catches every exception, and does not raise it again, stands at a listed edge."""
    found = {
        file.name: [node.lineno for node in handlers]
        for file in SOURCES
        if (
            handlers := [
                node
                for node in ast.walk(file.syntax)
                if isinstance(node, ast.ExceptHandler) and catches_everything(node) and not reraises(node)
            ]
        )
    }
    assert not verdict(found, exceptions.CATCH_ALL)


def test_test_modules_have_distinct_names() -> None:
    """Two test modules with one name would be told apart only by their folders."""
    homes: dict[str, list[str]] = defaultdict(list)
    for file in EVERYTHING:
        if file.name.startswith("tests/") and file.path.name.startswith("test_"):
            homes[file.path.name].append(file.name)
    assert not {name: files for name, files in homes.items() if len(files) > 1}


def test_tests_share_worlds_and_helpers_not_each_other() -> None:
    """What two tests need stands in a module of its own, where a stranger looks for it."""
    assert not [
        f"{file.name}: {module}"
        for file in EVERYTHING
        for _, module, name in file.imports()
        if re.match(r"tests\..*\btest_", f"{module}.{name}")
    ]


def test_exceptions_have_reasons() -> None:
    """Every listed exception says why."""
    lists = [
        exceptions.LONG_MODULES,
        exceptions.LONG_FUNCTIONS,
        exceptions.CATCH_ALL,
        exceptions.LATE_IMPORTS,
        exceptions.SHARED_NAMES,
        exceptions.EMPTY_NAMES,
    ]
    assert not [name for listed in lists for name, reason in listed.items() if not reason.strip()]
