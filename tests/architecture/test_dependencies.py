# SPDX-License-Identifier: Apache-2.0
"""What `pyproject.toml` declares is what the code imports, no less and no more."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

import remit
import remit_sdk
from tests.architecture import exceptions
from tests.architecture.tree import ROOT, SOURCES, verdict

PROJECTS = {
    package: tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
    for package, file in (("remit", "pyproject.toml"), ("remit_sdk", "sdk/pyproject.toml"))
}

#: Package -> what its frameworks, which are not installed here, are called, and what those bring themselves.
FRAMEWORKS = {
    "remit_sdk": {
        "agents": ["openai-agents"],
        "google": ["google-adk"],
        "langchain_core": ["langchain"],
        "langgraph": ["langchain"],
        "pydantic_ai": ["pydantic-ai-slim"],
        "pydantic_core": ["pydantic-ai-slim"],
        "strands": ["strands-agents"],
    }
}


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(lines: list[str]) -> set[str]:
    """The distributions that requirements name."""
    return {normal(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in lines}


def needed(package: str = "remit") -> set[str]:
    """The distributions that a package needs wherever it is installed."""
    return named(PROJECTS[package]["dependencies"])


def declared(package: str = "remit") -> set[str]:
    """Those, and what is imported where it is configured. The extra `demo` holds programs."""
    extras = PROJECTS[package]["optional-dependencies"].items()
    return needed(package).union(*(named(lines) for name, lines in extras if name != "demo"))


def imported(package: str) -> dict[str, str]:
    """Distribution -> one source file of the package that imports it."""
    owners = {**packages_distributions(), "remit_sdk": ["remit-sdk"], **FRAMEWORKS.get(package, {})}
    found: dict[str, str] = {}
    for file in SOURCES:
        if f"src/{package}/" not in file.name:
            continue
        for _, module, _ in file.imports():
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names and top != package:
                # Several distributions may share a package, as those of OpenTelemetry do.
                shared = [normal(one) for one in owners.get(top, [top])]
                for one in [one for one in shared if one in declared(package)] or shared[:1]:
                    found.setdefault(one, file.name)
    return found


def test_each_library_that_the_house_imports_is_declared() -> None:
    """Nothing is imported that comes only by way of another library."""
    strays = {
        name: file
        for package in PROJECTS
        for name, file in imported(package).items()
        if name not in declared(package)
    }
    assert not verdict(strays, exceptions.BORROWED_LIBRARIES)


@pytest.mark.parametrize("package", PROJECTS)
def test_each_declared_library_is_imported(package: str) -> None:
    """Nothing is installed that no source file uses."""
    idle = dict.fromkeys(declared(package) - set(imported(package)), "declared, never imported")
    known = exceptions.LIBRARIES_WITHOUT_AN_IMPORT
    assert not verdict(idle, {name: why for name, why in known.items() if package == "remit"})


def test_both_distributions_have_one_version() -> None:
    """remit needs the sdk of its own version, from the index or from this folder."""
    assert remit.__version__ == remit_sdk.__version__
    assert f"remit-sdk=={remit_sdk.__version__}" in PROJECTS["remit"]["dependencies"]


def test_locks_name_no_index() -> None:
    """Where packages come from is pip's configuration, not ours; each one has its hash."""
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock.name
        assert not re.search(r"^\s*-{1,2}(i|f|index-url|extra-index-url|find-links)\b", text, re.MULTILINE), (
            lock.name
        )
        assert text.count("==") <= text.count("--hash="), lock.name


def test_locks_hold_each_declared_library() -> None:
    """A library added to `pyproject.toml` is in the locks too (`make lock`)."""
    for lock in ("run", "demo", "dev", "bench"):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
        locked = {normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
        assert (declared() if lock == "dev" else needed()) - {"remit-sdk"} <= locked, lock
        assert needed("remit_sdk") <= locked, lock
