# SPDX-License-Identifier: Apache-2.0
"""A group within another audience: what it inherits, how addresses are counted, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config import load_bundle, load_config, problems
from remit.core.label import Audience, Classes, Label
from remit.core.tools.tool import Tool
from tests.samples.tool_files import folder

Json = Any
CONFIG = """\
upstreams: {mail: {url: 'https://mail.example/mcp'}}
groups: {team: [ana@example.com], core: [ana@example.com], guests: []}
classes:
  order: [public, internal, confidential, restricted]
  clearance: {self: restricted, internal: confidential, external: public, "group:core": restricted}
  categories: {internal: [pii]}
  within: {"group:team": internal, "group:core": "group:team"}
directory:
  example.com: internal
  team.example: "group:team"
  core.example: "group:core"
  guests.example: "group:guests"
  lena@example.com: self
"""
TOOLS = """\
upstream: mail
tools:
  send:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    audience_by: [to, cc]
    arguments: {to: {role: destination}, cc: {role: destination}, text: {role: content}}
    when:
      - {narrowed_to: "group:core", effect: reversible}
"""
WITHIN = '  within: {"group:team": internal, "group:core": "group:team"}\n'


def send(tmp_path: Path) -> Tool:
    """Return the tool as its file describes it."""
    return load_bundle(load_config(folder(tmp_path, TOOLS, CONFIG))).tools["mail/send"]


def classes(tmp_path: Path) -> Classes:
    """Return the classes of the configuration."""
    return load_config(folder(tmp_path, TOOLS, CONFIG)).data_classes


@pytest.mark.parametrize(
    ("to", "audience"),
    [
        ("a@core.example", "group:core"),
        (["a@core.example", "b@team.example"], "group:team"),
        (["a@core.example", "b@example.com"], "internal"),
        (["b@team.example", "lena@example.com"], "group:team"),
        ("lena@example.com", "self"),
        (["a@team.example", "x@guests.example"], "external"),
        (["a@team.example", "x@elsewhere.example"], "external"),
        ("a@x.team.example", "external"),
        ("a@team.example, x@elsewhere.example", "external"),
    ],
)
def test_addresses_belong_to_the_narrowest_audience_around_all(
    tmp_path: Path, to: Json, audience: str
) -> None:
    """A group outside does not count as inside, however the addresses are written."""
    assert send(tmp_path).called_with({"to": to}).audience == Audience(audience)


def test_every_argument_with_addresses_counts(tmp_path: Path) -> None:
    """A colleague in `to` covers no outsider in `cc`."""
    tool = send(tmp_path)
    assert tool.called_with({"to": "a@core.example", "cc": "b@example.com"}).audience.name == "internal"
    assert tool.called_with({"to": "a@core.example", "cc": "x@guests.example"}).audience.name == "external"


def test_what_is_not_listed_for_a_group_is_as_around_it(tmp_path: Path) -> None:
    """Its clearance and its categories; what is listed for it counts."""
    known = classes(tmp_path)
    assert [known.ceiling(f"group:{one}") for one in ("team", "core", "guests")] == [
        "confidential",
        "restricted",
        "public",
    ]
    private = Label("confidential", frozenset({"pii"}))
    assert known.cleared(Audience("group:team"), private)
    assert not known.cleared(Audience("group:team"), Label("confidential", frozenset({"pay"})))
    assert not known.cleared(Audience("group:guests"), private)
    assert known.around("group:core") == ("group:core", "group:team", "internal")


@pytest.mark.parametrize(
    ("within", "message"),
    [
        ('{"group:team": "group:core", "group:core": "group:team"}', "lies within"),
        ('{"group:team": "group:team"}', "lies within"),
        ('{"group:tema": internal}', "`group:tema` is not a group"),
        ('{"group:team": "group:cor"}', "`group:cor` is not a group"),
        ('{"group:team": external}', "nothing lies within `external`"),
        ('{"group:team": self}', "nothing lies within `self`"),
        ("{internal: 'group:team'}", "`internal` is not a group"),
        ('{"group:team": staff}', "`staff` is not an audience"),
        ('{"group:team": "group:core"}', ""),
    ],
)
def test_each_mistake_names_its_entry(tmp_path: Path, within: str, message: str) -> None:
    """Circles, unknown names, and audiences in which nothing lies."""
    text = CONFIG.replace(WITHIN, f"  within: {within}\n")
    found = [str(one) for one in problems(folder(tmp_path, TOOLS, text))]
    assert all(message in one and "classes.within" in one for one in found) if message else not found
    assert bool(found) is bool(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"group:core": restricted', "is cleared for less than `internal`"),
        ("categories: {internal: [pii]", "may learn fewer categories than `internal`"),
    ],
)
def test_a_group_with_less_than_what_is_around_it_is_refused(tmp_path: Path, line: str, message: str) -> None:
    """Its members would learn what goes to all inside."""
    less = {
        '"group:core": restricted': '"group:core": restricted, "group:team": public',
        "categories: {internal: [pii]": 'categories: {internal: [pii], "group:team": []',
    }
    found = [str(one) for one in problems(folder(tmp_path, TOOLS, CONFIG.replace(line, less[line])))]
    assert any(message in one for one in found)


NAMES = st.sampled_from(["internal", "external", *(f"group:{letter}" for letter in "abcd")])


@given(
    st.dictionaries(NAMES, NAMES),
    st.dictionaries(NAMES, st.sampled_from(Classes().order)),
    NAMES,
)
def test_any_nesting_ends(within: dict[str, str], clearance: dict[str, str], audience: str) -> None:
    """Also one in a circle, which no configuration holds; the clearance is one that is listed, or none."""
    known = Classes(clearance=clearance, within=within)
    around = known.around(audience)
    assert around[0] == audience
    assert len(around) == len(set(around))
    listed = [clearance[one] for one in around if one in clearance]
    assert known.ceiling(audience) == (listed[0] if listed else "public")
