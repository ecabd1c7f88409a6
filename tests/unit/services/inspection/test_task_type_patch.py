# SPDX-License-Identifier: Apache-2.0
"""Edits of a task type's file keep what people wrote, and say nothing that they did not mean."""

import pytest
import yaml

from remit.services.inspection.task_type_patch import difference, without_agent, without_tools

OFFICE = """\
# What the office does.
task: office
purpose: Work at the desk
run_by: [clerk, "other"]  # both work here
requested_by: [group:staff]
grants:
  # reading is harmless
  - tool: desk/read
    other_arguments: true
  # money
  - tool: desk/pay
    arguments:
      text: {exact: |
        two
        lines}
    ceilings: {amount: {amount: 10}}

  - {tool: desk/write}
ends_after:
- desk/pay
- desk/write
delegates:
  to:
    - other
    - clerk   # its own work
  max_depth: 1
"""
OFFICE = OFFICE.replace("{exact: |\n        two\n        lines}", '{exact: "two"}')


def test_a_tool_goes_with_its_whole_grant_and_nothing_else() -> None:
    """Comments and blank lines stay, also where the task ended with the tool."""
    out = without_tools(OFFICE, {"desk/pay"})
    assert out is not None
    said = yaml.safe_load(out)
    assert [one["tool"] for one in said["grants"]] == ["desk/read", "desk/write"]
    assert said["ends_after"] == ["desk/write"]
    assert "# reading is harmless" in out
    gone = [line for line in difference("tasks/office.yaml", OFFICE, out).splitlines() if line[0] in "+-"][2:]
    assert gone == [
        "-  - tool: desk/pay",
        "-    arguments:",
        '-      text: {exact: "two"}',
        "-    ceilings: {amount: {amount: 10}}",
        "-- desk/pay",
    ]


def test_an_agent_goes_from_those_who_run_it_and_are_handed_its_work() -> None:
    """In both ways of writing a list."""
    out = without_agent(OFFICE, "clerk")
    assert out is not None
    said = yaml.safe_load(out)
    assert (said["run_by"], said["delegates"]["to"]) == (["other"], ["other"])
    assert '["other"]  # both work here' in out


@pytest.mark.parametrize(
    "text",
    [
        "task: x\ngrants:\n  - &one {tool: desk/pay}\n  - *one\n",
        "task: x\ngrants:\n  - tool: desk/pay\n",
        "task: x\ngrants:\n  - tool: desk/read\n",
        "task: [x\n",
        "- task\n",
        "",
        "task: x\ngrants:\n  - a: &a {b: c}\n    tool: desk/pay\n  - tool: desk/read\n    d: *a\n",
    ],
)
def test_what_cannot_be_written_surely_is_not_written(text: str) -> None:
    """Nothing is there to take out, nothing would be left, or another part of the file depends on it."""
    assert without_tools(text, {"desk/pay"}) is None
