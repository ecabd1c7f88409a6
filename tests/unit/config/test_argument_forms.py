# SPDX-License-Identifier: Apache-2.0
"""Forms of arguments: cases, choices and containers; what does not go together is told."""

from pathlib import Path

import pytest

from remit.config import problems
from remit.core.tools.constraint import load
from remit.core.tools.tool import Argument, ArgumentCase, ArgumentRole
from tests.samples.tool_files import folder, tools_of

FORGE = """\
upstream: mail
tools:
  comment:
    effect: reversible
    audience: internal
    production: true
    labels: {class: internal, trust: trusted}
    arguments:
      project: {role: selector}
      board: {role: selector, within: project}
      number: {role: destination, within: board}
      kind: {role: content}
      record: {role: selector, personal: true, when: [{arguments: {kind: {exact: deal}}, personal: false}]}
      text: {role: code, when: [{arguments: {kind: {exact: note}}, role: content}]}
      access: {choice: {least: reader}}
    when:
      - arguments: {kind: {exact: note}}
        production: false
  settings:
    effect: reversible
    audience: internal
    single: true
    arguments:
      public: {choice: {least: false}}
    schema: {properties: {level: {enum: [low, high]}}}
"""


def test_every_form_of_an_argument_is_kept(tmp_path: Path) -> None:
    """What a file says of cases, choices and containers stands in the tool."""
    tools = tools_of(tmp_path, FORGE)
    found = tools["mail/comment"].arguments
    deal = ArgumentCase({"kind": load({"exact": "deal"}, "kind")}, personal=False)
    assert found["record"] == Argument(ArgumentRole.SELECTOR, personal=True, when=(deal,))
    assert found["access"] == Argument(least=("reader",))
    assert found["number"] == Argument(ArgumentRole.DESTINATION, within="board")
    assert tools["mail/settings"].single
    assert tools["mail/settings"].arguments["public"].least == (False,)
    assert [one.production for one in tools["mail/comment"].variants] == [False]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("within: board", "within: bord", "`bord` cannot be a container; name a selector or a destination"),
        ("within: board", "within: bord", "did you mean `board`?"),
        ("within: board", "within: kind", "`kind` cannot be a container"),
        ("within: board", "within: number", "`number` lies within `number`"),
        ("project: {role: selector}", "project: {role: selector, within: board}", "lies within `project`"),
        ("kind: {role: content}", "kind: {within: board}", "cannot be combined with the role `content`"),
        (
            "personal: false}]",
            "personal: true}]",
            "`tools.comment.arguments.record.when[0]`: changes nothing",
        ),
        ("personal: false}]", "hands_over: true}]", "hands_over`: is stricter than the argument's own"),
        ("personal: false}]", "role: code}]", "role`: is stricter than the argument's own; write it for"),
        ("personal: false}]", "role: content}]", "`personal` cannot be combined with the role `content`"),
        ("personal: false}]", "persona: false}]", "unknown key; did you mean `personal`?"),
        ("{kind: {exact: deal}}", "{kin: {exact: deal}}", "`kin` is not one of its arguments"),
        ("{kind: {exact: deal}}", "{kin: {exact: deal}}", "did you mean `kind`?"),
        ("{kind: {exact: deal}}", "{kind: {exakt: deal}}", "unknown constraint `exakt`"),
        ("{kind: {exact: deal}}", "{}", "when[0].arguments`: is empty"),
        ("personal: false}]", "personal: false}, {arguments: {kind: {exact: deal}}, role: amount}]", "above"),
        ("{least: reader}", "{least: []}", "must be a value, or a list of values; write the value"),
        ("{least: reader}", "{least: null}", "must be a value, or a list of values"),
        ("{least: reader}", "{most: reader}", "unknown key"),
        ("{least: reader}", "{}", "`tools.comment.arguments.access.choice.least`: is missing"),
        ("{choice: {least: reader}}", "{role: selector, choice: {least: x}}", "with another role"),
        ("{choice: {least: reader}}", "{secret: true, choice: {least: x}}", "with another role"),
        ("public: {choice: {least: false}}", "level: {choice: {least: lo}}", "`lo` is not one of its values"),
        ("public: {choice: {least: false}}", "level: {choice: {least: lo}}", "did you mean `low`?"),
        ("production: false", "production: true", "`tools.comment.when[0]`: changes nothing"),
        ("    production: true\n", "", "`tools.comment.when[0]`: changes nothing"),
        ("public: {choice: {least: false}}", "who: {role: selector, personal: true}", "is `personal`"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    """With the place, and the remediation."""
    assert old in FORGE
    told = [str(one) for one in problems(folder(tmp_path, FORGE.replace(old, new)))]
    assert any(said in one for one in told), told


def test_a_read_is_not_single(tmp_path: Path) -> None:
    """It leaves nothing open that it could change."""
    text = FORGE.replace("effect: reversible\n    audience: internal\n    single", "effect: none\n    single")
    told = [str(one) for one in problems(folder(tmp_path, text))]
    assert any("counts only for a tool that changes something" in one for one in told), told
