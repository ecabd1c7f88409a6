# SPDX-License-Identifier: Apache-2.0
"""Suspending a task at the command line, and what its agent is told meanwhile."""

from collections.abc import Iterator

import pytest

from tests.gateways.remit_up import Remit, furnished


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with note-bot."""
    with furnished(tmp_path_factory.mktemp("cli")) as made:
        yield made


def test_a_suspended_task_answers_its_agent_and_goes_on(services: Remit) -> None:
    """The agent's text says that nothing has ended; `remit who` and `remit can` say that it is suspended."""
    opened = services.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
    task = opened["id"]
    before = services.call(task, "read_note", {"name": "shopping"})
    assert not before["result"]["isError"]
    assert services.ask("task", "suspend", task, "--reason", "looks odd")["suspended"]
    held = services.call(task, "read_note", {"name": "shopping"})["result"]
    text = held["content"][0]["text"]
    assert held["isError"]
    assert "is suspended" in text
    assert "has ended, and" not in text
    assert "may pass once a person lets the task go on" in text
    assert services.ask("who", task)["state"] == "suspended"
    assert services.ask("can", task)["tasks"][0]["state"] == "suspended"
    other = services("task", "resume", task, by="ana")
    assert (other.code, "another person suspended" in other.err) == (1, True)
    assert "goes on" in services("task", "resume", task).out
    assert not services.call(task, "read_note", {"name": "shopping"})["result"]["isError"]
    again = services("task", "resume", task)
    assert (again.code == 0, "is not suspended" in again.err) == (False, True)
    assert "SUSPENDED" in services("task", "suspend", task, by="ana").out
    assert "goes on" in services("task", "resume", task, by="ana").out
