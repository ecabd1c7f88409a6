# SPDX-License-Identifier: Apache-2.0
"""`read_by` and `participant` of `tools/`: what they mean, and what does not go together."""

from pathlib import Path

import pytest

from remit.config import load_bundle, load_config, problems
from remit.core.tools.tool import Effect
from tests.samples.tool_files import CONFIG, folder

LOCAL = CONFIG + "directory: {example.com: internal, ana@example.com: self, board.example: 'group:board'}\n"
TOOLS = """\
upstream: mail
tools:
  get_event:
    effect: none
    audience: internal
    labels: {class: internal, trust: untrusted}
    fields:
      organizer.email: {trust: trusted, participant: true}
      guests[].email: {trust: trusted, participant: true}
    arguments: {event: {role: selector}}
  move:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    stored_destination: {by: [event], read_by: [get_event]}
    arguments: {event: {role: selector}, starts: {role: content}}
    when:
      - {narrowed_to: internal, effect: reversible}
"""


def found_in(tmp_path: Path, tools: str, config: str = LOCAL) -> list[str]:
    """Return the problems of a bundle."""
    return [str(one) for one in problems(folder(tmp_path, tools, config))]


def test_a_tool_knows_who_shows_its_participants_and_whom_the_directory_knows(tmp_path: Path) -> None:
    """The narrowest audience first, each with its effect."""
    assert found_in(tmp_path, TOOLS) == []
    tools = load_bundle(load_config(tmp_path)).tools
    stored = tools["mail/move"].stored_destination
    assert stored is not None
    assert stored.read_by == ("mail/get_event",)
    told = [(one.audience.name, one.effect) for one in stored.narrowings]
    assert told[0] == ("self", None)
    assert ("internal", Effect.REVERSIBLE) in told
    assert tools["mail/get_event"].shows_participants
    assert not tools["mail/move"].shows_participants


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[get_event]}", "[get_evnt]}", "`mail/get_evnt` is not a tool; did you mean `mail/get_event`?"),
        ("[get_event]}", "[move]}", "`mail/move` shows no participants; mark the fields of `mail/move`"),
        ("{by: [event], ", "{", "needs one argument in `by`"),
        ("guests[].email: {trust: trusted", "guests[].email: {trust: untrusted", "has no meaning"),
        ("guests[].email:", "guests._keys:", "cannot be a participant"),
        ("participant: true}\n    arg", "participant: true, withhold: true}\n    arg", "cannot be a part"),
        ("arguments: {event: {role: selector}}", "arguments: {id: {role: selector}}", "no argument `event`"),
    ],
)
def test_each_mistake_about_participants_is_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """With the place and the remedy."""
    assert TOOLS.count(old) == 1
    (found,) = found_in(tmp_path, TOOLS.replace(old, new))
    assert message in found
    assert "mail.yaml:" in found


def test_without_a_directory_no_one_is_inside(tmp_path: Path) -> None:
    """Then the look-up would change nothing."""
    (found,) = found_in(tmp_path, TOOLS, CONFIG)
    assert "needs a `directory`" in found


def test_a_narrower_effect_needs_a_look_up(tmp_path: Path) -> None:
    """`narrowed_to` belongs to `audience_by`, or to `read_by`."""
    (found,) = found_in(tmp_path, TOOLS.replace(", read_by: [get_event]", ""))
    assert "needs `audience_by`" in found
