# SPDX-License-Identifier: Apache-2.0
"""Threat: a service that is stopped, restarted or reloaded loses a call, ends another process, or goes on
with rules that were not checked.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from remit.cli.instance import record_of
from tests.clients.hammering import Hammer
from tests.gateways.remit_up import ObservingRemit

Json = Any
#: `list_notes` says that it was reached, and answers once it is let go.
HELD = """
    import time
    (folder / "reached").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
"""
LONG_S = 120


class House(ObservingRemit):
    """A remit whose `list_notes` can be held, with note-bot and an administrator signed in."""

    def furnish(self) -> None:
        """Begin in observe mode."""
        self.prepare(HELD)
        (self.folder / "notes" / "other.md").write_text("another note")
        self.begin()

    def refused(self, task: str) -> bool:
        """Read a note that the task does not grant; return whether that was refused."""
        answer = self.call(task, "read_note", {"name": "other"})
        return "error" in answer or bool(answer["result"].get("isError"))

    def holding(self, pool: ThreadPoolExecutor, task: str) -> Future[Json]:
        """Begin a call that its upstream has received, and does not answer yet."""
        for name in ("reached", "go"):
            (self.folder / "notes" / name).unlink(missing_ok=True)
        begun = pool.submit(self.call, task, "list_notes", {})
        until(lambda: (self.folder / "notes" / "reached").exists() or begun.done())
        assert not begun.done(), begun.result()
        return begun

    def let_go(self) -> None:
        """Let the held call be answered."""
        (self.folder / "notes" / "go").touch()

    def recorded(self, task: str) -> dict[str, dict[str, str]]:
        """Return the outcomes of each call of a task, by the kind of the event."""
        found: dict[str, dict[str, str]] = {}
        for one in self.ask("audit", "log", "--task", task, "--limit", "1000")["items"]:
            if one["kind"] in ("decision.made", "tool.called"):
                found.setdefault(one["call"], {})[one["kind"]] = one["facts"]["outcome"]
        return found


def until(reached: Any) -> None:
    """Wait until something holds."""
    limit = time.monotonic() + LONG_S
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house that serves."""
    made = House(tmp_path / "house")
    try:
        made.furnish()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()


def test_no_call_is_lost_by_a_reload_and_the_next_one_is_enforced(house: House) -> None:
    """A call that is at its upstream is answered and closed; the first call after the answer is refused."""
    task = house.open()
    assert not house.refused(task)
    with ThreadPoolExecutor(1) as pool:
        held = house.holding(pool, task)
        house.mode("enforce")
        told = house.ask("reload")
        assert told["modes"] == [{"upstream": "notes", "mode": "enforce"}]
        assert told["waiting"] == []
        assert house.refused(task)
        assert not held.done()
        house.let_go()
        assert "result" in held.result(LONG_S)
    calls = house.recorded(task).values()
    assert sorted(one["decision.made"] for one in calls) == ["deny", "deny", "permit"]
    # The first refused call was only observed, and so it was made.
    assert sorted(one.get("tool.called", "refused") for one in calls) == ["ok", "ok", "refused"]
    (event,) = house.ask("audit", "log", "--kind", "upstream.mode")["items"]
    assert event["facts"] == {"upstream": "notes", "mode": "enforce"}
    assert event["values"] == {"by": "admin"}
    assert house.ask("reload")["modes"] == []


@pytest.mark.slow
def test_calls_and_changes_of_mode_at_once_leave_no_call_without_its_end(house: House) -> None:
    """Every answer has one decision, and every call that went on has one outcome."""
    task = house.open()
    over = threading.Event()
    answers: list[bool] = []

    def work() -> None:
        while not over.is_set():
            answers.append(house.refused(task))

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work) for _ in range(3)]
        for word in ("enforce", "observe", "enforce"):
            before = len(answers)
            until(lambda before=before: len(answers) > before + 2)
            house.mode(word)
            assert [one["mode"] for one in house.ask("reload")["modes"]] == [word]
        over.set()
        for one in working:
            one.result(LONG_S)
    assert house.refused(task)
    answers.append(True)
    counted = house.ask("audit", "summary", "--task", task)
    (line,) = counted["items"]
    assert counted["complete"]
    assert (line["tool"], line["decided"].get("permit", 0)) == ("notes/read_note", 0)
    assert line["decided"]["deny"] == answers.count(True)
    assert line["decided"]["observed"] == answers.count(False)
    assert line["ended"] == {"ok": answers.count(False)}


def test_broken_files_change_nothing_and_are_named(house: House) -> None:
    """The place is said by `reload`, `restart` and `status`; what runs stays in force, and runs on."""
    task = house.open()
    text = house.config.read_text()
    house.mode("enforce")
    tools = house.folder / "tools" / "notes.yaml"
    good = tools.read_text()
    tools.write_text(good.replace("effect: none", "effect: some", 1))
    assert house.process is not None
    for command in ("reload", "restart"):
        said = house(command)
        assert said.code == 2
        assert "notes.yaml" in said.err
    assert "notes.yaml" in house.ask("status")["service"]["files"]["broken"]
    assert not house.refused(task)
    assert house.process.poll() is None
    tools.write_text(good)
    house.config.write_text(text + "groups: {legal: [admin]}\n")
    told = house.ask("reload")
    assert (told["waiting"], told["modes"]) == (["groups"], [])
    assert "`groups`; run `remit restart`" in house("status").out


def test_only_an_administrator_reloads(house: House) -> None:
    """An operator may look at what would change, and not change it."""
    assert house("person", "add", "omar", "--role", "operator").code == 0
    house.sign_in("omar")
    house.mode("enforce")
    said = house("reload", by="omar")
    assert said.code == 1
    assert "has no role" in said.err
    assert not house.refused(house.open())


def test_a_stop_waits_for_calls_in_progress_and_ends_the_right_process(house: House) -> None:
    """The call is answered, its outcome is recorded, and the port is free; a second stop finds nothing."""
    task = house.open()
    assert house.process is not None
    with ThreadPoolExecutor(2) as pool:
        held = house.holding(pool, task)
        stopping = pool.submit(house.apart, "stop", "--json")
        until(lambda: "stopping" in house.log.read_text())
        house.let_go()
        assert "result" in held.result(LONG_S)
        told = stopping.result(LONG_S)
    assert told.code == 0, told.err
    assert told.json["pid"] == house.process.pid
    assert house.process.wait(LONG_S) == 0
    for command in ("stop", "restart", "status"):
        assert house(command).code == 3
    assert "remit up" in house("stop").err
    house.start(port=house.port)
    assert list(house.recorded(task).values()) == [{"decision.made": "permit", "tool.called": "ok"}]


def test_a_restart_keeps_process_and_address_and_takes_over_all_files(house: House) -> None:
    """A supervisor sees no end of the process, and clients find remit where it was."""
    assert house.process is not None
    before = house.ask("status")
    house.config.write_text(house.config.read_text() + "groups: {legal: [admin]}\n")
    house.mode("enforce")
    told = house.ask("restart")
    assert (told["pid"], told["url"]) == (house.process.pid, house.url)
    assert told["since"] > before["since"]
    assert house.process.poll() is None
    after = house.ask("status")["service"]
    assert after["files"] == before["service"]["files"]
    assert [one["mode"] for one in after["upstreams"]] == ["enforce"]
    assert house.refused(house.open())
    assert "legal" in house.ask("whoami")["groups"]
    kinds = [one["kind"] for one in house.ask("audit", "log", "--kind", "system.stopped")["items"]]
    assert kinds == ["system.stopped"]


@pytest.mark.long
def test_no_call_fails_while_remit_restarts_and_reloads(house: House) -> None:
    """Calls go on without a pause, over kept and fresh connections: each one is answered, as ever."""
    house.let_go()
    types = house.folder / "tasks" / "tidy-note.yaml"
    types.write_text(types.read_text().replace("calls: 50", "calls: 100000"))
    house.ask("reload")
    hammer = Hammer(house.url, house.folder / ".remit" / "agents" / "note-bot.key.json", house.open())
    with hammer.swinging() as swung:
        for command in ("restart", "reload", "restart"):
            before = swung.answered
            until(lambda before=before: swung.failed or swung.answered > before + 8)
            house.ask(command, *(("--wait", str(LONG_S)) if command == "restart" else ()))
        before = swung.answered
        until(lambda: swung.failed or swung.answered > before + 8)
    assert hammer.failed == []
    outcomes = list(house.recorded(hammer.task).values())
    assert outcomes == [{"decision.made": "permit", "tool.called": "ok"}] * len(outcomes)


def test_a_second_start_says_where_remit_runs(house: House) -> None:
    """It exits 0, except where it was asked for what only a start can do."""
    assert house.process is not None
    said = house("up")
    assert said.code == 0
    assert f"already running at {house.url}" in said.out
    assert str(house.process.pid) in said.out
    assert house("up", "--json").json["pid"] == house.process.pid
    for words in (("--code-for", "admin"), ("--port", "1")):
        said = house("up", *words)
        assert said.code == 2
        assert "remit stop" in said.err
    ready = house.folder / "ready.json"
    assert house("up", "--ready-file", str(ready)).code == 0
    assert json.loads(ready.read_text()) == {"url": house.url, "pid": house.process.pid}


def test_commands_find_the_port_that_the_start_has_chosen(house: House) -> None:
    """`remit up --port N` serves at N, not at the configured port: reload and doctor ask there."""
    house.env.pop("REMIT_URL")
    assert house.apart("reload", "--json").code == 0
    found = json.loads(house.apart("doctor", "--json").out)["findings"]
    assert any(one["subject"] == "remit" and house.url in one["says"] for one in found), found


@pytest.mark.slow
def test_what_a_crash_left_is_no_running_remit(house: House) -> None:
    """The record's number belongs to a bystander by now: it gets no signal, and remit starts again."""
    assert house.process is not None
    house.stop(signal.SIGKILL)
    left = json.loads(record_of(house.config).read_text())
    assert left["pid"] == house.process.pid
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        record_of(house.config).write_text(json.dumps(left | {"pid": bystander.pid}))
        assert house("stop").code == 3
        assert bystander.poll() is None
        bystander.kill()
    house.start(port=house.port)
    assert house.ask("status")["pid"] == house.process.pid


@pytest.mark.slow
def test_another_program_at_the_port_is_not_taken_for_remit(house: House) -> None:
    """`status` says so and exits 3; `stop` ends nothing."""
    port = house.port
    house.stop()
    house.env.pop("REMIT_URL")
    house.config.write_text(house.config.read_text() + f"listen: {{port: {port}}}\n")
    with socket.create_server(("127.0.0.1", port)):
        said = house("status")
        assert said.code == 3
        assert "another program listens" in said.out
        assert house("stop").code == 3
        said = house("up")
        assert said.code == 2
        assert "is in use" in said.err


def test_the_log_names_every_call_and_no_value(house: House) -> None:
    """Time, agent, person, task, tool, outcome, rule and milliseconds; the file is its owner's alone."""
    task = house.open()
    assert house.refused(task) is False
    house.mode("enforce")
    house.ask("reload")
    assert house.refused(task)
    place = Path(house.ask("status")["log"])
    until(lambda: place.read_text().count('"tool":"notes/read_note"') == 2)
    said = house("logs", "--json")
    assert said.code == 0
    observed, refused = (one for one in map(json.loads, said.out.splitlines()) if "tool" in one)
    for one in (observed, refused):
        assert (one["agent"], one["person"], one["task"]) == ("note-bot", "admin", task)
        assert one["tool"] == "notes/read_note"
        assert one["rule"]
        assert one["ms"] > 0
        assert one["call"] in house.recorded(task)
    assert (observed["outcome"], observed["observed"]) == ("ok", True)
    assert (refused["outcome"], "observed" in refused) == ("deny", False)
    assert "other" not in said.out.replace("another", "")
    assert place.stat().st_mode & 0o777 == 0o600
    shown = house("logs").out
    assert "note-bot for admin" in shown
    assert f"serves at {house.url}" in shown


@pytest.mark.slow
def test_the_log_and_the_evidence_are_followed(house: House) -> None:
    """Further lines arrive as calls are made."""
    env = house.env | {"PYTHONUNBUFFERED": "1"}
    task = house.open()
    followers = [
        subprocess.Popen(
            house.command(*words, "--json"), cwd=house.folder, env=env, stdout=subprocess.PIPE, text=True
        )
        for words in (
            ("logs", "--follow", "--lines", "0"),
            ("audit", "log", "--follow", "--kind", "decision.made", "--limit", "1", "--agent", "note-bot"),
        )
    ]
    try:
        found: list[Json] = []

        def read(stream: Any) -> None:
            found.append(json.loads(stream.readline()))

        readers = [threading.Thread(target=read, args=(one.stdout,)) for one in followers]
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):
            house.refused(task)
        assert {one.get("tool") or one["facts"]["tool"] for one in found} == {"notes/read_note"}
    finally:
        for one in followers:
            one.kill()
            one.communicate()


def test_the_evidence_is_searched_by_command(house: House) -> None:
    """Filters work together; a word that does not exist is refused."""
    task = house.open()
    house.refused(task)
    wanted = ("--since", "1h", "--agent", "note-bot", "--person", "admin", "--tool", "notes", "--task", task)
    found = house.ask("audit", "log", *wanted, "--outcome", "deny")["items"]
    assert [one["kind"] for one in found] == ["decision.made"]
    assert house.ask("audit", "log", *wanted, "--until", "1h")["items"] == []
    assert house.ask("audit", "log", "--person", "stranger")["items"] == []
    for words in (("--outcome", "perhaps"), ("--since", "soon")):
        assert house("audit", "log", *words).code == 2
    told = house.ask("status")["service"]
    assert (told["tasks"], told["calls"]["observed"], told["calls"]["refused"]) == (1, 1, 0)
    assert "would have been refused" in house("status").out
    assert "read_note" in house("audit", "summary").out


@pytest.mark.slow
def test_who_is_signed_in_is_shown(house: House) -> None:
    """Person, roles, way of signing in and the keys of agents; without a session it exits 1."""
    told = house.ask("whoami")
    assert (told["person"], told["method"], told["from"]) == ("admin", "code", "login")
    assert "administrator" in told["roles"]
    assert told["expires"] > told["signed_in"]
    assert [one["agent"] for one in told["agent_keys"]] == ["note-bot"]
    assert os.path.exists(told["agent_keys"][0]["file"])
    assert "administrator" in house("whoami").out
    assert house("logout").code == 0
    assert house("whoami").code == 1
    said = house("status")
    assert said.code == 0
    assert "remit login" in said.out
