# SPDX-License-Identifier: Apache-2.0
"""A path that is excluded stays excluded, however it is written, in every place that takes a constraint."""

import posixpath
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.tasks.grant import Grant
from remit.core.tools.constraint import Verdict, load
from remit.core.tools.tool import Effect, Tool, Variant

Json = Any
FORBIDDEN = "/srv/keys"
EXCLUDING = (
    {"path_under": FORBIDDEN},
    {"glob": f"{FORBIDDEN}/**"},
    {"glob": "/srv/key?"},
    {"glob": "/*/keys"},
    {"prefix": f"{FORBIDDEN}/"},
    {"prefix": FORBIDDEN},
)
NAMES = st.text(st.sampled_from("abkesyvr."), min_size=1, max_size=5).filter(lambda one: one.strip("."))
INSIDE = st.lists(NAMES, max_size=3).map(lambda names: "/".join([FORBIDDEN, *names]))
#: Spellings by which some program opens the same path: each is applied at a random place.
SPELLINGS = (
    lambda path, at: path[:at] + path[at:].replace("/", "//", 1),
    lambda path, at: path[:at] + path[at:].replace("/", "/./", 1),
    lambda path, at: path[:at] + path[at:].replace("/", "/x/../", 1),
    lambda path, at: path[:at] + path[at:].replace("/", "\\", 1),
    lambda path, at: path[:at] + path[at:].replace("/", "\u2215", 1),
    lambda path, at: path[:at] + path[at:].upper(),
    lambda path, at: path[:at] + path[at:].swapcase(),
    lambda path, at: path[:at] + path[at:].replace("e", "%65", 1),
    lambda path, at: path[:at] + path[at:].replace("/", "%2f", 1),
    lambda path, at: path[:at] + path[at:].replace("k", "\u212a", 1),
    lambda path, at: path[:at] + path[at:].replace("s", "\u017f", 1),
    lambda path, at: path[:at] + path[at:].replace("s", "\uff53", 1),
    lambda path, at: path[:at] + path[at:].replace("e", "e\u200b", 1),
    lambda path, at: path[:at] + path[at:].replace("e", "e\ufe0f", 1),
    lambda path, at: path + "/" * (at % 3),
    lambda path, at: path + " " * (at % 2) + "." * (at % 3),
    lambda path, at: " " * (at % 3) + path,
    lambda path, at: f"file://{path}",
    lambda path, at: f"c:{path}",
    lambda path, at: path[1:],
    lambda path, at: f"/tmp/../{path.removeprefix('/')}",
    lambda path, at: f"~/../../{path.removeprefix('/')}",
    lambda path, at: path.replace("keys", "KEYS~1"),
    lambda path, at: f"{path}\x00.md",
    lambda path, at: f"{path}\n",
)


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """Return a forbidden path in one or two of the spellings."""
    path = draw(INSIDE)
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(SPELLINGS))(path, draw(st.integers(0, len(path))))
    return path


@given(st.sampled_from(EXCLUDING), spelled())
def test_no_spelling_of_an_excluded_path_passes(spec: Json, path: str) -> None:
    """Nor a name below an excluded one, whichever constraint excludes it."""
    assert load({"not": spec}).judge(path) is not Verdict.YES


@given(st.sampled_from(EXCLUDING), st.sampled_from(["/", "/srv", "/SRV", "/srv/", "", ".", "srv"]))
def test_no_directory_above_an_excluded_path_passes(spec: Json, path: str) -> None:
    """A tool may read a directory with all that is below it."""
    assert load({"not": spec}).judge(path) is not Verdict.YES


@given(st.sampled_from(EXCLUDING), st.lists(NAMES, min_size=1, max_size=4))
def test_a_plain_path_elsewhere_passes(spec: Json, names: list[str]) -> None:
    """An absolute path in normal form, in another directory."""
    path = "/home/" + "/".join(names)
    plain = posixpath.normpath(path) == path and unicodedata.is_normalized("NFKC", path)
    plain = plain and not any(name.endswith(".") for name in names)
    if plain and not (spec == {"glob": "/*/keys"} and names[0] == "keys"):
        assert load({"not": spec}).judge(path) is Verdict.YES


@given(spelled())
def test_every_place_that_takes_a_constraint_excludes_it(path: str) -> None:
    """A grant refuses, and a condition of a tool file leaves the worst case."""
    spec = {"all": [{"path_under": "/srv"}, {"not": {"path_under": FORBIDDEN}}]}
    assert Grant("files/write", {"path": spec}).permits({"path": path})
    tool = Tool(
        upstream="files", name="write", variants=(Variant({"path": load(spec)}, effect=Effect.REVERSIBLE),)
    )
    assert tool.called_with({"path": path}).effect is Effect.IRREVERSIBLE


def test_what_is_beside_the_excluded_directory_passes_there() -> None:
    """Otherwise the law above would hold for a grant that refuses everything."""
    spec: Json = {"all": [{"path_under": "/srv"}, {"not": {"path_under": FORBIDDEN}}]}
    assert Grant("files/write", {"path": spec}).permits({"path": "/srv/docs/a.md"}) == ()
    tool = Tool(upstream="files", name="write", variants=(Variant({"path": load(spec)}, Effect.REVERSIBLE),))
    assert tool.called_with({"path": "/srv/docs/a.md"}).effect is Effect.REVERSIBLE


@pytest.mark.parametrize("glob", ["/" + "a" * 1000, "/" + "?" * 300, "/" + "/".join(["*"] * 200)])
def test_a_long_pattern_still_loads(glob: str) -> None:
    """What is near a match is another pattern of the same size."""
    assert load({"glob": glob}).judge("/x") is not Verdict.YES
