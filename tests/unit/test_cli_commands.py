# SPDX-License-Identifier: Apache-2.0
"""Every command against a real `remit up`: its own process, SQLite, and the example server over stdio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

import remit
from remit.core.event import MEANINGS, EventKind
from remit.sdk.key import AgentKey
from remit.sdk.session import AgentSession

Json = Any
CODE = re.compile(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b")
SOURCES = str(Path(remit.__file__).parents[1])
START_S = 30


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


class Remit:
    """A folder made by `remit init`, and the process that serves it."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs yet."""
        self.folder = folder
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REMIT_")},
            "XDG_CONFIG_HOME": str(folder.parent / "home"),
            "PYTHONPATH": SOURCES,
            "NO_COLOR": "1",
        }
        self.url = ""
        self.log = folder.parent / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, *words: str, by: str = "") -> Said:
        """Run one command in a process of its own."""
        told = subprocess.run(
            self.command(*words, *(("--as", by) if by else ())),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in told.stderr, told.stderr
        return Said(told.returncode, told.stdout, told.stderr)

    def command(self, *words: str) -> list[str]:
        """Give the command line of this very remit."""
        return [sys.executable, "-m", "remit", *words]

    def ask(self, *words: str, by: str = "") -> Json:
        """Run one command that must succeed, and give its JSON."""
        said = self(*words, "--json", by=by)
        assert said.code == 0, said.err
        return said.json

    def start(self, *words: str) -> None:
        """Start `remit up` on a free port, and return once it serves."""
        ready = self.folder.parent / "ready.json"
        ready.unlink(missing_ok=True)
        self.env.pop("REMIT_URL", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command("up", "--port", "0", "--ready-file", str(ready), *words),
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_S
        while not ready.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        told = json.loads(ready.read_text())
        assert told["pid"] == self.process.pid
        self.url = self.env["REMIT_URL"] = told["url"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and give the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    def sign_in(self, name: str) -> None:
        """Sign a person in by a code that the administrator makes."""
        code = self.ask("person", "code", name)["code"]
        assert self("login", "--code", code, by=name).code == 0

    def call(self, task: str, tool: str, arguments: Json) -> Json:
        """Call a tool as the agent whose task it is, over MCP."""
        return asyncio.run(self._call(task, tool, arguments))

    async def _call(self, task: str, tool: str, arguments: Json) -> Json:
        key = AgentKey.load(self.folder / ".remit" / "agents" / "note-bot.key.json")
        async with AgentSession(self.url, "note-bot", key) as agent:
            token = await agent.task({"id": task}).token()
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        }
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.post(
                f"{self.url}/mcp/notes",
                json={
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "tools/call",
                    "params": {"name": tool, "arguments": arguments, "_meta": meta},
                },
                headers={
                    "Authorization": f"Bearer {token}",
                    "MCP-Protocol-Version": "2026-07-28",
                    "Mcp-Method": "tools/call",
                    "Mcp-Name": tool,
                    "Accept": "application/json, text/event-stream",
                },
            )
        text = answer.text
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            text = [line for line in text.splitlines() if line.startswith("data: ")][-1][6:]
        return json.loads(text)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with a signed-in administrator, the person ana, and the agent note-bot."""
    made = Remit(tmp_path_factory.mktemp("cli") / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    # Writing moves money here, so that it asks a human: that is what `approve` is about.
    tools = made.folder / "tools" / "notes.yaml"
    tools.write_text(
        tools.read_text().replace("    effect: reversible\n", "    effect: reversible\n    financial: true\n")
    )
    made.start()
    found = CODE.search(made.log.read_text())
    assert found, made.log.read_text()
    assert made("login", "--code", found[0]).code == 0
    assert made("person", "add", "ana", "--group", "writers").code == 0
    assert made("person", "add", "omar", "--role", "approver").code == 0
    made.sign_in("ana")
    made.sign_in("omar")
    purpose = ("--owner", "ana", "--purpose", "keep notes tidy")
    assert made("agent", "register", "note-bot", *purpose).code == 0
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@pytest.fixture
def task(house: Remit) -> str:
    """An open task of note-bot."""
    opened = house.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
    return str(opened["id"])


# Starting.


def test_init_overwrites_nothing(house: Remit) -> None:
    """A folder that holds a configuration is left alone."""
    said = house("init", ".")
    assert said.code == 2
    assert "is there already" in said.err


def test_up_says_where_it_is_what_it_governs_and_how_to_sign_in(house: Remit) -> None:
    """The first start shows addresses, upstreams, the bundle, the evidence, its key, and a one-time code."""
    log = house.log.read_text()
    for told in (f"{house.url}/api/v1", f"{house.url}/mcp/notes", "enforce", "sha256:", "remit/default+"):
        assert told in log
    assert "remit login --code" in log


def test_a_second_remit_on_the_same_port_is_a_configuration_error(house: Remit) -> None:
    """A port that is taken exits 2 before anything is opened, and says the way out."""
    said = house("up", "--port", house.url.rpartition(":")[2])
    assert said.code == 2
    assert "is in use" in said.err
    assert "--port" in said.err


def test_a_second_remit_on_the_same_store_is_refused(house: Remit) -> None:
    """One process writes: another one on the same files does not start."""
    said = house("up", "--port", "0")
    assert said.code in (2, 3)
    assert said.err.startswith("error: ")


def test_a_code_works_once(house: Remit) -> None:
    """The code of the first start is spent, and signing in with it again is refused."""
    found = CODE.search(house.log.read_text())
    assert found
    said = house("login", "--code", found[0])
    assert said.code == 1
    assert "was used" in said.err


# Who there is.


def test_people_and_agents_are_listed(house: Remit) -> None:
    """Lists show each one; `--json` is the interface's own answer."""
    assert {one["name"] for one in house.ask("person", "list")["items"]} == {"admin", "ana", "omar"}
    assert [one["name"] for one in house.ask("agent", "list")["items"]] == ["note-bot"]
    assert "note-bot" in house("agent", "list").out
    assert "keep notes tidy" in house("agent", "show", "note-bot").out


def test_only_the_public_part_of_a_key_is_sent(house: Remit) -> None:
    """The private key stays in a file of mode 0600 beside the configuration."""
    place = house.folder / ".remit" / "agents" / "note-bot.key.json"
    private = json.loads(place.read_text())
    assert place.stat().st_mode & 0o077 == 0
    shown = house.ask("agent", "show", "note-bot")["public_jwk"]
    assert "d" in private
    assert "d" not in shown
    assert shown["x"] == private["x"]


def test_a_refused_registration_leaves_no_key_behind(house: Remit) -> None:
    """A key that nobody knows of would be taken for a registered one."""
    said = house("agent", "register", "other-bot", "--owner", "ana", "--purpose", "x", by="ana")
    assert said.code == 1
    assert "role" in said.err
    assert not (house.folder / ".remit" / "agents" / "other-bot.key.json").exists()


def test_an_agent_is_suspended_and_comes_back(house: Remit) -> None:
    """Suspended, it opens no task; activated, it does."""
    open_it = ("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=a")
    assert "suspended" in house("agent", "suspend", "note-bot", "--reason", "a look").out
    assert house(*open_it, by="ana").code == 1
    assert "active" in house("agent", "activate", "note-bot").out
    assert house(*open_it, by="ana").code == 0


# Tasks and the three questions.


def test_a_task_opens_is_shown_and_completes(house: Remit, task: str) -> None:
    """Its intent, grants and times are shown; a later turn is counted; completed, it is fenced."""
    assert "tidy-note" in house("task", "types").out
    assert task in house("task", "list", by="ana").out
    house.ask("task", "turn", task, "and sort them", by="ana")
    shown = house("task", "show", task, by="ana").out
    assert "`name` must be `shopping`" in shown
    assert house.ask("task", "show", task)["turns"] == 1
    closure = house.ask("task", "complete", task, by="ana")
    assert closure["closed"]
    assert closure["scope"] == f"task:{task}"


def test_an_ill_fitting_parameter_is_refused_with_the_reason(house: Remit) -> None:
    """What the task type's constraint does not admit opens nothing."""
    said = house("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=../x", by="ana")
    assert said.code == 2
    assert "`note`" in said.err


def test_who_says_who_owns_for_whom_and_how_it_was_proven(house: Remit, task: str) -> None:
    """Agents, tasks and people have an answer; a name that nobody has exits 2."""
    agent = house("who", "note-bot").out
    for told in ("owned by ana", "key-bound", "isolation none", task, "on behalf of ana"):
        assert told in agent
    assert "done by note-bot" in house("who", task).out
    assert "approver" in house("who", "omar").out
    assert house("who", "nobody").code == 2


def test_can_says_what_would_be_permitted_and_why_not(house: Remit, task: str) -> None:
    """The very decision is made: permitted exits 0, denied and deferred exit 1; each says by which rule."""
    read = ("can", task, "notes/read_note", "-a")
    assert "notes/read_note" in house("can", task).out
    assert house(*read, "name=shopping").code == 0
    denied = house(*read, "name=secrets")
    assert denied.code == 1
    assert "`name` must be `shopping`" in denied.out
    deferred = house("can", "note-bot", "notes/write_note", "-a", "name=shopping", "-a", "text=x")
    assert deferred.code == 1
    assert "effects/financial" in deferred.out
    assert house("can", task, "notes/rm").code == 1


def test_end_is_shown_in_milliseconds_and_proven_in_the_log(house: Remit, task: str) -> None:
    """The closure lists each permission with its time until refusal, and its event is in the signed log."""
    proven = house.ask("end", task, "--reason", "enough", "--prove")
    assert proven["closed"]
    assert all(one["refused_after_ms"] is not None for one in proven["closings"])
    assert proven["proof"]["size"] > proven["proof"]["index"]
    said = house("end", f"task:{task}")
    assert "nothing left open" in said.out
    assert house("end", "nobody").code == 2


def test_lock_keeps_shut_until_unlock(house: Remit) -> None:
    """A locked agent opens no task; unlocked, it does."""
    open_it = ("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=a")
    assert house("lock", "note-bot").code == 0
    said = house(*open_it, by="ana")
    assert said.code == 1
    assert "locked" in said.err
    assert house("unlock", "note-bot").code == 2
    assert house("unlock", "agent:note-bot").code == 0
    assert house(*open_it, by="ana").code == 0


# Approvals.


def test_an_approval_needs_somebody_who_looked(house: Remit, task: str) -> None:
    """A deferred call waits; a pipe cannot approve it, naming its digest can; approved, it happens once."""
    arguments = {"name": "shopping", "text": "- bread\n\x1b[8mhidden"}
    assert "error" in house.call(task, "write_note", arguments)
    waiting = house.ask("approvals", by="omar")["items"]
    approval = next(one for one in waiting if one["task"] == task)
    piped = house("approve", approval["id"], by="omar")
    assert piped.code == 2
    assert f"--yes-i-looked {approval['call']}" in piped.err
    assert "\\u{1b}[8mhidden" in piped.out
    assert "\x1b" not in piped.out
    assert "effects/financial" in piped.out
    assert house("approve", approval["id"], "--yes-i-looked", "sha256:0", by="omar").code == 1
    assert house("approve", approval["id"], "--yes-i-looked", approval["call"], by="ana").code == 1
    assert house("approve", approval["id"], "--yes-i-looked", approval["call"], by="omar").code == 0
    assert "error" not in house.call(task, "write_note", arguments)
    assert "error" in house.call(task, "write_note", arguments)


def test_on_a_terminal_the_answer_is_asked_for(house: Remit, task: str) -> None:
    """The call is shown and `y` denies it; anything else answers nothing."""
    assert "error" in house.call(task, "write_note", {"name": "shopping", "text": "x"})
    waiting = house.ask("approvals", "--task", task, by="omar")["items"]
    approval = str(waiting[0]["id"])
    assert _on_terminal(house, ["deny", approval, "--as", "omar"], "n\n")[0] == 1
    code, shown = _on_terminal(house, ["deny", approval, "--as", "omar"], "y\n")
    assert code == 0
    assert "Refuse this call?" in shown
    assert house.ask("approvals", "--state", "denied", "--task", task)["items"][0]["id"] == approval


def _on_terminal(house: Remit, words: list[str], answer: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        house.command(*words), cwd=house.folder, env=house.env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = ""
    with contextlib.suppress(OSError):  # the other end closes when the command has ended
        while piece := os.read(ours, 4096).decode(errors="replace"):
            shown += piece
            if "[y/N]" in shown and answer:
                os.write(ours, answer.encode())
                answer = ""
    os.close(ours)
    return process.wait(30), shown


def test_watching_shows_what_waits(house: Remit, task: str) -> None:
    """`approvals --watch --json` writes one object per line, beginning with what is open."""
    assert "error" in house.call(task, "write_note", {"name": "shopping", "text": "watched"})
    process = subprocess.Popen(
        house.command("approvals", "--watch", "--json", "--as", "omar"),
        cwd=house.folder,
        env=house.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    found = ""
    for line in process.stdout:
        one = json.loads(line)
        if one["task"] == task:
            found = one["state"]
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.stdout.close()
    assert found == "pending"


# Tools and policies.


def test_tools_show_what_they_do_and_what_changed(house: Remit) -> None:
    """A tool that nobody described is shown as the worst; what is unchanged says so."""
    said = house("tool", "list").out
    assert "irreversible (not described)" in said
    same = house("tool", "diff", "notes/read_note")
    assert same.code == 0
    assert "as it was accepted" in same.out
    shown = house.ask("tool", "diff", "notes/read_note")
    assert house("tool", "accept", "notes/read_note").code == 2
    assert house("tool", "accept", "notes/read_note", "--digest", shown["offered_digest"]).code == 0


def test_policies_are_checked_without_a_server_and_applied_as_a_whole(house: Remit) -> None:
    """An unsound file is named with its line, exits 2, and is not put in force."""
    assert house("policy", "check").out.startswith("sound")
    before = house.ask("policy", "show")["digest"]
    bad = house.folder / "policies" / "99-bad.cedar"
    bad.write_text("permit (principal, action, resource) when { context.nonsense };\n")
    try:
        said = house("policy", "check")
        assert said.code == 2
        assert "99-bad.cedar" in said.out
        assert house("policy", "check", "--server").code == 2
        assert house("policy", "apply").code == 2
    finally:
        bad.unlink()
    assert house.ask("policy", "show")["digest"] == before
    assert house.ask("policy", "apply")["digest"] == before
    assert "base/granted-calls" in house("policy", "rules").out
    assert "forbid" in house("policy", "rules", "--text").out
    assert "entity" in house("policy", "schema").out


# Evidence.


def test_every_event_says_only_what_the_reference_knows(house: Remit, task: str) -> None:
    """No event of the log holds a kind, fact or sealed value that is missing in the reference."""
    house.call(task, "read_note", {"name": "shopping"})
    items = house.ask("audit", "log", "--start", "0", "--limit", "100000")["items"]
    assert {"task.opened", "decision.made", "tool.called", "data.read"} <= {one["kind"] for one in items}
    for one in items:
        meaning = MEANINGS[EventKind(one["kind"])]
        assert set(one["facts"]) <= set(meaning.facts), one
        assert set(one.get("sealed", {})) <= set(meaning.sealed), one


def test_events_are_read_filtered_and_shown(house: Remit, task: str) -> None:
    """The list says each event in a few words; one event shows its facts and its values."""
    house.call(task, "read_note", {"name": "secrets"})
    said = house("audit", "log", "--task", task, "--kind", "decision.made")
    assert "deny" in said.out
    assert "task.opened" not in said.out
    index = house.ask("audit", "log", "--task", task, "--kind", "task.opened")["items"][0]["index"]
    shown = house("audit", "show", str(index)).out
    assert "Tidy up one note" in shown
    assert house("audit", "show", "999999").code == 2


def test_a_receipt_is_verified_before_it_is_given(house: Remit) -> None:
    """The proof of an event is a C2SP tlog-proof."""
    assert house("audit", "prove", "3").out.startswith("c2sp.org/tlog-proof@v1\nindex 3\n")


def test_the_evidence_verifies_offline_and_an_attack_is_named(house: Remit, tmp_path: Path) -> None:
    """An export verifies under the log's key; a changed event and a cut-back log exit 4 and are named."""
    file = tmp_path / "evidence.jsonl"
    fetched = house.ask("audit", "export", str(file))
    older = tmp_path / "older.jsonl"
    older.write_bytes(file.read_bytes())
    assert house("audit", "verify", str(file), "--key", fetched["verifier"]).out.startswith("verified")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'\\"kind\\":\\"', b'\\"kind\\":\\"x')
    attacked = tmp_path / "attacked.jsonl"
    attacked.write_bytes(b"".join(lines))
    said = house("audit", "verify", str(attacked))
    assert said.code == 4
    assert "event 3" in said.out or "event 4" in said.out
    house.ask("task", "types")
    house.ask("person", "code", "ana")
    assert house("audit", "verify").code == 0
    rolled = house("audit", "verify", str(older))
    assert rolled.code == 4
    assert "cut back" in rolled.out


def test_a_key_that_only_the_file_vouches_for_verifies_nothing(house: Remit, tmp_path: Path) -> None:
    """Without a key, and without having seen it before, a file is not called verified."""
    file = tmp_path / "evidence.jsonl"
    house.ask("audit", "export", str(file))
    stranger = {**house.env, "XDG_CONFIG_HOME": str(tmp_path)}
    told = subprocess.run(
        house.command("audit", "verify", str(file)),
        env=stranger,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 2
    assert "no key to verify with" in told.stderr


# Health, and the end.


def test_doctor_finds_what_is_wrong(house: Remit) -> None:
    """A sound house passes and says that it is not isolated; a key that others can read fails."""
    healthy = house("doctor")
    assert healthy.code == 0, healthy.out
    assert "isolation: none" in healthy.out
    key = house.folder / ".remit" / "agents" / "note-bot.key.json"
    key.chmod(0o644)
    try:
        said = house("doctor", "--json")
        assert said.code == 1
        assert any("chmod 600" in one["way_out"] for one in said.json["findings"] if one["state"] == "fail")
    finally:
        key.chmod(0o600)


def test_without_a_role_one_sees_ones_own_alone(house: Remit, task: str) -> None:
    """Whoever has no role reads neither the evidence nor the people."""
    assert house("audit", "log", by="ana").code == 1
    assert house("person", "list", by="ana").code == 1
    assert house("task", "show", task, by="ana").code == 0


def test_signing_out_ends_the_session(house: Remit) -> None:
    """After `logout` the session opens nothing, here and at remit."""
    house.sign_in("omar")
    assert house("logout", by="omar").code == 0
    said = house("approvals", by="omar")
    assert said.code == 1
    assert "`omar` is not signed in" in said.err
    house.sign_in("omar")


def test_a_signal_ends_it_in_order_and_a_lost_administrator_gets_back_in(house: Remit) -> None:
    """SIGTERM exits 0 after signing the last head; `--code-for` gives whoever can start remit a code."""
    assert house.stop() == 0
    assert "signed; stopped" in house.log.read_text()
    house.start()
    assert not CODE.search(house.log.read_text()), "somebody has signed in before, so no code is printed"
    assert house.stop(signal.SIGINT) == 0
    house.start("--code-for", "admin")
    found = CODE.search(house.log.read_text())
    assert found
    assert house("login", "--code", found[0]).code == 0
    kinds = [one["kind"] for one in house.ask("audit", "log", "--limit", "1000")["items"]]
    assert kinds.count("system.started") == 3
    assert kinds.count("system.stopped") == 2
    assert house.stop() == 0
