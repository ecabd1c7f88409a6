# SPDX-License-Identifier: Apache-2.0
"""Governing by command: people, agents, tasks, the three questions, approvals, tools, policies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remit.cli.serve.server import listening
from remit.config import Config, ListenSection
from remit.core.canonical import digest
from remit.core.errors import ConfigInvalid
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession
from tests.gateways.remit_up import CODE, Remit, furnished
from tests.refusals import own_failure


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with people and an agent in it."""
    with furnished(tmp_path_factory.mktemp("cli")) as made:
        yield made


@pytest.fixture
def task(services: Remit) -> str:
    """An open task of note-bot."""
    opened = services.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
    return str(opened["id"])


# Starting.


def test_init_overwrites_nothing(services: Remit) -> None:
    """A folder that holds a configuration is left alone."""
    said = services("init", ".")
    assert said.code == 2
    assert "already exists" in said.err


def test_up_says_where_it_is_what_it_governs_and_how_to_sign_in(services: Remit) -> None:
    """The first start shows addresses, upstreams, the bundle, the evidence, its key, and a one-time code."""
    log = services.log.read_text()
    for told in (
        f"{services.url}/api/v1",
        f"{services.url}/mcp/notes",
        "enforce",
        "sha256:",
        "remit/default+",
    ):
        assert told in log
    assert "Enter it when `remit login`" in log


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process loads")
def test_a_remit_loads_no_clients_that_its_configuration_does_not_need(services: Remit) -> None:
    """Without leases: none of databases, none of the web. They would take a fifth of the memory."""
    assert services.process is not None
    loaded = Path(f"/proc/{services.process.pid}/maps").read_text()
    assert "msgspec" in loaded
    for client in ("psycopg", "aiohttp", "duckdb"):
        assert client not in loaded


def test_another_remit_on_the_same_port_is_a_configuration_error(services: Remit, tmp_path: Path) -> None:
    """A port that is taken exits 2 before anything is opened, and says the remediation."""
    other = tmp_path / "other"
    assert services("init", str(other)).code == 0
    said = services("up", "--port", services.url.rpartition(":")[2], "--config", str(other))
    assert said.code == 2
    assert "is in use" in said.err
    assert "--port" in said.err


def test_git_leaves_keys_and_secrets_alone(services: Remit) -> None:
    """What remit keeps beside its configuration is in no commit by mistake."""
    assert (services.folder / ".remit" / ".gitignore").read_text() == "*\n"


def test_a_host_that_is_not_here_is_told_as_such() -> None:
    """Where not an address of this machine is named, the remediation is another one, not another port."""
    config = Config(upstreams={}, listen=ListenSection(host="203.0.113.9"))
    with pytest.raises(ConfigInvalid, match="not an address of this machine"), listening(config, 0):
        pass


def test_doctor_takes_another_remit_for_no_one_of_this_folder(services: Remit, tmp_path: Path) -> None:
    """What answers at this folder's address serves another one: nothing good is said of it."""
    other = tmp_path / "other"
    assert services("init", str(other)).code == 0
    with (other / "remit.yaml").open("a") as opened:
        opened.write(f"listen: {{port: {services.url.rpartition(':')[2]}}}\n")
    told = services("doctor", "--config", str(other)).out
    assert "is not the one of this folder" in told
    assert "ready at" not in told
    assert "signed in as" not in told


def test_a_second_remit_on_the_same_store_is_refused(services: Remit) -> None:
    """One process writes: another configuration on the same files does not start."""
    other = services.folder / "other.yaml"
    other.write_text((services.folder / "remit.yaml").read_text())
    said = services("up", "--port", "0", "--config", str(other))
    other.unlink()
    assert said.code in (2, 3)
    assert said.err.startswith("error: ")


def test_a_second_start_in_the_same_folder_says_where_remit_runs(services: Remit) -> None:
    """It is no fault to start what runs."""
    said = services("up")
    assert said.code == 0
    assert f"already running at {services.url}" in said.out


def test_a_code_works_once(services: Remit) -> None:
    """The code of the first start is spent, and signing in with it again is refused."""
    found = CODE.search(services.log.read_text())
    assert found
    said = services("login", "--code-stdin", given=found[0])
    assert said.code == 1
    assert "already used" in said.err


# The registered agents and people.


def test_standard_output_holds_the_answer_alone(services: Remit) -> None:
    """In a separate process, `--json` writes JSON to standard output, and nothing to standard error."""
    said = services.apart("agent", "list", "--json")
    assert said.code == 0
    assert said.err == ""
    assert said.json == services.ask("agent", "list")


def test_people_and_agents_are_listed(services: Remit) -> None:
    """Lists show each one; `--json` is the interface's own answer."""
    assert {one["name"] for one in services.ask("person", "list")["items"]} == {"admin", "ana", "omar"}
    assert [one["name"] for one in services.ask("agent", "list")["items"]] == ["note-bot"]
    assert "note-bot" in services("agent", "list").out
    assert "keep notes tidy" in services("agent", "show", "note-bot").out


def test_only_the_public_part_of_a_key_is_sent(services: Remit) -> None:
    """The private key stays in a file of mode 0600 beside the configuration."""
    place = services.folder / ".remit" / "agents" / "note-bot.key.json"
    private = json.loads(place.read_text())
    assert place.stat().st_mode & 0o077 == 0
    shown = services.ask("agent", "show", "note-bot")["bindings"][0]["jwk"]
    assert "d" in private
    assert "d" not in shown
    assert shown["x"] == private["x"]


def test_a_refused_registration_leaves_no_key_behind(services: Remit) -> None:
    """An unknown key would be taken for a registered one."""
    said = services("agent", "register", "other-bot", "--owner", "ana", "--purpose", "x", by="ana")
    assert said.code == 1
    assert "role" in said.err
    assert not (services.folder / ".remit" / "agents" / "other-bot.key.json").exists()


def test_an_agent_is_suspended_and_comes_back(services: Remit) -> None:
    """Suspended, it opens no task; activated, it does."""
    open_it = ("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=a")
    assert "suspended" in services("agent", "suspend", "note-bot", "--reason", "a look").out
    assert services(*open_it, by="ana").code == 1
    assert "active" in services("agent", "activate", "note-bot").out
    assert services(*open_it, by="ana").code == 0


# Tasks and the three questions.


def test_a_task_opens_is_shown_and_completes(services: Remit, task: str) -> None:
    """Its intent, grants and times are shown; a later message is counted; completed, it is fenced."""
    assert "tidy-note" in services("task", "types").out
    assert task in services("task", "list", by="ana").out
    services.ask("task", "message", task, "and sort them", by="ana")
    shown = services("task", "show", task, by="ana").out
    assert 'It may read with `notes/read_note`, provided that `name` is "shopping"' in shown
    assert '`ana` fixed `note` at "shopping"' in shown
    assert services.ask("task", "show", task)["messages"] == 1
    closure = services.ask("task", "complete", task, by="ana")
    assert closure["closed"]
    assert closure["scope"] == f"task:{task}"


def test_can_says_what_lifts_a_task_from_one_tier_to_the_next(services: Remit, task: str) -> None:
    """The tools of each tier with the reason, and what their calls need."""
    told = services.ask("can", task)["tasks"][0]
    assert [(one["tier"], sorted(one["because"])) for one in told["tiers"]] == [
        ("assistant", ["notes/list_notes", "notes/read_note"]),
        ("autonomous", ["notes/write_note"]),
    ]
    assert {one["kind"] for one in told["sentences"]} == {"who", "may", "limit", "never", "end", "cut"}
    shown = services("can", task).out
    assert "notes/write_note: it moves money" in shown
    assert "needs an approval for production" in shown
    assert "It ends once its budget is used up." in shown
    # With a tool, the answer is about that tool alone.
    assert "sentences" not in services.ask("can", task, "notes/read_note")["tasks"][0]


def test_an_ill_fitting_parameter_is_refused_with_the_reason(services: Remit) -> None:
    """What the task type's constraint does not admit opens nothing."""
    said = services("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=../x", by="ana")
    assert said.code == 2
    assert "`note`" in said.err


def test_who_says_who_owns_for_whom_and_how_it_was_proven(services: Remit, task: str) -> None:
    """Agents, tasks and people have an answer; an unknown name exits 2."""
    agent = services("who", "note-bot").out
    for told in ("owned by ana", "key-bound", "isolation none", task, "on behalf of ana"):
        assert told in agent
    assert "done by note-bot" in services("who", task).out
    assert "approver" in services("who", "omar").out
    assert services("who", "nobody").code == 2


def test_can_says_what_would_be_permitted_and_why_not(services: Remit, task: str) -> None:
    """The very decision is made: permitted exits 0, denied and deferred exit 1; each says by which rule."""
    read = ("can", task, "notes/read_note", "-a")
    overview = services("can", task).out
    assert "notes/read_note" in overview
    assert "granted by task type `tidy-note`; policies decide each call" in overview
    assert services(*read, "name=shopping").code == 0
    denied = services(*read, "name=secrets")
    assert denied.code == 1
    assert "`name` must be `shopping`" in denied.out
    deferred = services("can", "note-bot", "notes/write_note", "-a", "name=shopping", "-a", "text=x")
    assert deferred.code == 1
    assert "effects/financial" in deferred.out
    assert services("can", task, "notes/rm").code == 1


def test_end_is_shown_in_milliseconds_and_proven_in_the_log(services: Remit, task: str) -> None:
    """The closure lists each permission with its time until refusal, and its event is in the signed log."""
    proven = services.ask("end", task, "--reason", "enough", "--prove")
    assert proven["closed"]
    assert all(one["refused_after_ms"] is not None for one in proven["closings"])
    assert proven["proof"]["size"] > proven["proof"]["events"] >= 1
    said = services("end", f"task:{task}")
    assert "nothing left open" in said.out
    assert "fences were in place after: " in services("doctor").out
    assert services("end", "nobody").code == 2


def test_lock_keeps_shut_until_unlock(services: Remit) -> None:
    """A locked agent opens no task; unlocked, it does."""
    open_it = ("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=a")
    locked = services("lock", "note-bot")
    assert (locked.code, "remit unlock agent:note-bot" in locked.out) == (0, True)
    said = services(*open_it, by="ana")
    assert said.code == 1
    assert "locked" in said.err
    for name in ("note-bot", "agent:note-bot"):
        said = services("unlock", name)
        assert (said.code, "no terminal: cannot prompt" in said.err) == (2, True)
    assert "`notes` is not locked" in services("unlock", "notes").err
    listed = services.ask("lock")["items"]
    assert [one["scope"] for one in listed] == ["agent:note-bot"]
    assert "agent:note-bot" in services("who", "note-bot").out
    assert "locked by a person" in services("doctor").out
    assert services("unlock", "agent:note-bot", "--confirm", "sha256:other").code == 1
    assert services("unlock", "note-bot", "--confirm", digest(listed[0])).code == 0
    assert "nothing is locked" in services("lock").out
    assert services(*open_it, by="ana").code == 0


def test_a_new_bundle_says_what_it_ends_and_asks(services: Remit, task: str) -> None:
    """Open tasks of a type that gives less are shown; a pipe cannot agree, naming what was shown can."""
    place = next(one for one in (services.folder / "tasks").iterdir() if "tidy-note" in one.read_text())
    before = place.read_text()
    assert services.ask("policy", "preview")["tasks"] == []
    try:
        place.write_text(before.replace("run_by: [", "run_by: [nobody, ").replace("note-bot", "other-bot"))
        shown = services.ask("policy", "preview")
        (one,) = [one for one in shown["tasks"] if one["task"] == task]
        assert "may not run" in one["ends"]
        said = services("policy", "apply")
        assert said.code == 2
        assert task in said.out
        assert services.ask("task", "show", task)["state"] == "active"
        assert services("policy", "apply", "--confirm", digest(shown)).code == 0
        assert services.ask("task", "show", task)["state"] == "revoked"
    finally:
        place.write_text(before)
        assert services("policy", "apply").code == 0


def test_one_process_alone_is_everywhere(services: Remit) -> None:
    """No other replica decides, so the command does not wait; an impossible wait is refused first."""
    told = services.ask("policy", "apply")
    assert (told["everywhere"], told["replicas"]) == (True, [])
    assert datetime.fromisoformat(told["everywhere_from"]).tzinfo is not None
    for wait in ("-1", "nan", "3601"):
        said = services("policy", "apply", f"--wait={wait}")
        assert (said.code, "`--wait` is not from 0 to" in said.err) == (2, True), said


# Approvals.


def test_an_approval_needs_somebody_who_looked(services: Remit, task: str) -> None:
    """A deferred call waits; a pipe cannot approve it, naming its digest can; approved, it happens once."""
    arguments = {"name": "shopping", "text": "- bread\n\x1b[8mhidden"}
    assert own_failure(services.call(task, "write_note", arguments))
    waiting = services.ask("approvals", by="omar")["items"]
    approval = next(one for one in waiting if one["task"] == task)
    piped = services("approve", approval["id"], by="omar")
    assert piped.code == 2
    assert f"--confirm {approval['call']}" in piped.err
    assert "\\u{1b}[8mhidden" in piped.out
    assert "\x1b" not in piped.out
    assert "effects/financial" in piped.out
    assert services("approve", approval["id"], "--confirm", "sha256:0", by="omar").code == 1
    assert services("approve", approval["id"], "--confirm", approval["call"], by="ana").code == 1
    assert services("approve", approval["id"], "--confirm", approval["call"], by="omar").code == 0
    assert "error" not in services.call(task, "write_note", arguments)
    assert own_failure(services.call(task, "write_note", arguments))


def test_an_agent_with_the_sdk_hears_an_answer_while_it_waits(services: Remit, task: str) -> None:
    """It is told nothing before, and the state after."""
    assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": "waiting"}))
    (asked,) = services.ask("approvals", "--task", task, by="omar")["items"]

    async def work() -> list[str]:
        key = AgentKey.load(services.folder / ".remit" / "agents" / "note-bot.key.json")
        async with AgentSession(services.url, "note-bot", key) as agent:
            session = agent.task({"id": task})
            before = await session.answer_to(asked["id"])
            approve = ("approve", asked["id"], "--confirm", asked["call"])
            heard, said = await asyncio.gather(
                session.answer_to(asked["id"], wait_s=300),
                asyncio.to_thread(services, *approve, by="omar"),
            )
            assert said.code == 0
            return [before["state"], heard["state"]]

    assert asyncio.run(work()) == ["pending", "approved"]


def test_people_see_how_questions_are_answered(services: Remit, task: str) -> None:
    """As a page and as JSON; a question for just this once has no preview."""
    assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": "counted"}))
    (one,) = services.ask("approvals", "--task", task, by="omar")["items"]
    assert services("deny", one["id"], "--confirm", one["call"], by="omar").code == 0
    found = services.ask("approvals", "stats", by="omar")
    assert found["denied"] >= 1
    assert found["questions"] == found["answered"] + found["open"] + found["expired"]
    assert {"effects/financial"} <= {rule["rule"] for rule in found["rules"]}
    shown = services("approvals", "stats", by="omar").out
    assert "effects/financial" in shown
    assert "answered in under 2 seconds" in shown
    assert services.ask("approvals", "stats", "--limit", "1", by="omar")["questions"] <= 1
    told = services("approvals", "alike", one["id"], by="omar")
    assert (told.code, "offers just this once" in told.err) == (2, True)


def test_bounds_are_given_only_where_the_screen_offers_them(services: Remit, task: str) -> None:
    """A question about money is answered just once, and nothing is answered by mistake."""
    assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": "x"}))
    (one,) = services.ask("approvals", "--task", task, by="omar")["items"]
    confirm = ("--confirm", one["call"])
    said = services("approve", one["id"], "--times", "5", *confirm, by="omar")
    assert (said.code, "offers just this once" in said.err) == (2, True)
    for wrong in (("--narrow", "text=y"), ("--narrow", "text"), ("--times", "0")):
        assert services("approve", one["id"], *wrong, *confirm, by="omar").code == 2
    assert services("approve", one["id"], "--within", "9h", *confirm, by="omar").code == 2
    assert services.ask("approvals", "--task", task, by="omar")["items"] == [one]
    assert services("approve", one["id"], *confirm, by="omar").code == 0
    piped = services("deny", one["id"], by="omar")
    assert (piped.code, f"--confirm {one['call']}" in piped.err) == (2, True)
    assert services("deny", one["id"], *confirm, by="omar").code == 0
    assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": "x"}))


def test_on_a_terminal_the_answer_is_asked_for(services: Remit, task: str) -> None:
    """The call is shown and `y` denies it; anything else answers nothing."""
    assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": "x"}))
    waiting = services.ask("approvals", "--task", task, by="omar")["items"]
    approval = str(waiting[0]["id"])
    assert _on_terminal(services, ["deny", approval, "--as", "omar"], "n\n")[0] == 1
    code, shown = _on_terminal(services, ["deny", approval, "--as", "omar"], "y\n")
    assert code == 0
    assert "Refuse this call?" in shown
    assert services.ask("approvals", "--state", "denied", "--task", task)["items"][0]["id"] == approval


def test_calls_that_belong_together_are_answered_together(services: Remit, task: str) -> None:
    """They are listed as one group; the answer names the digest of each, and nothing else is answered."""
    for text in ("x", "y", "z"):
        assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": text}))
    waiting = services.ask("approvals", "--task", task, by="omar")["items"]
    last, second, first = [one["id"] for one in waiting]
    digests = {one["id"]: one["call"] for one in waiting}
    listed = services("approvals", "--task", task, by="omar").out
    assert f"remit approve {last} {second} {first}" in listed
    piped = services("approve", first, second, by="omar")
    assert piped.code == 2
    assert f"--confirm {digests[first]} --confirm {digests[second]}" in piped.err
    assert f"remit approve {first} {second} {last}" in piped.out
    one = ("--confirm", digests[first])
    assert services("approve", first, second, *one, by="omar").code == 1
    assert services("approve", first, second, *one, "--confirm", digests[last], by="omar").code == 1
    both = services.ask("approve", first, second, *one, "--confirm", digests[second], by="omar")["items"]
    assert [(one["id"], one["state"]) for one in both] == [(first, "approved"), (second, "approved")]
    assert services("deny", last, second, *one, by="omar").code == 1
    (left,) = services.ask("approvals", "--task", task, by="omar")["items"]
    assert left["id"] == last


def test_what_has_expired_or_was_answered_names_no_time_to_come(services: Remit, task: str) -> None:
    """A question whose task has ended is over at that time; a denied one is good at no time."""
    for text in ("x", "y"):
        assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": text}))
    denied, expired = services.ask("approvals", "--task", task, by="omar")["items"]
    looked = ("--confirm", denied["call"])
    assert services("deny", denied["id"], *looked, by="omar").code == 0
    services.ask("end", task)
    (one,) = services.ask("approvals", "--task", task, "--state", "expired", by="omar")["items"]
    assert one["id"] == expired["id"]
    assert datetime.fromisoformat(one["expires"]) <= datetime.now(UTC)
    listed = services("approvals", "--task", task, "--state", "all", by="omar").out
    assert denied["id"] in listed
    assert not re.search(r"\bin \d", listed)


def _on_terminal(services: Remit, words: list[str], answer: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        services.command(*words),
        cwd=services.folder,
        env=services.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
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
    return process.wait(60), shown


def test_watching_shows_what_waits(services: Remit, task: str) -> None:
    """`approvals --watch --json` writes one object per line, beginning with what is open."""
    assert own_failure(services.call(task, "write_note", {"name": "shopping", "text": "watched"}))
    process = subprocess.Popen(
        services.command("approvals", "--watch", "--json", "--as", "omar"),
        cwd=services.folder,
        env=services.env,
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
    assert process.wait(60) == 130
    process.stdout.close()
    assert found == "pending"


# Tools and policies.


def test_tools_show_what_they_do_and_what_changed(services: Remit) -> None:
    """A tool without a description is shown as the worst; an unchanged tool is reported as unchanged."""
    said = services("tool", "list").out
    assert "irreversible (not described)" in said
    same = services("tool", "diff", "notes/read_note")
    assert same.code == 0
    assert "unchanged since it was accepted" in same.out
    shown = services.ask("tool", "diff", "notes/read_note")
    assert services("tool", "accept", "notes/read_note").code == 2
    assert services("tool", "accept", "notes/read_note", "--confirm", shown["offered_digest"]).code == 0


def test_policies_are_checked_without_a_server_and_applied_as_a_whole(services: Remit) -> None:
    """An unsound file is named with its line, exits 2, and is not put in force."""
    assert services("policy", "check").out.startswith("sound")
    before = services.ask("policy", "show")["digest"]
    bad = services.folder / "policies" / "99-bad.cedar"
    bad.write_text("permit (principal, action, resource) when { context.nonsense };\n")
    try:
        said = services("policy", "check")
        assert said.code == 2
        (line,) = said.out.splitlines()
        assert line.startswith("error: policies/99-bad.cedar:1: ")
        assert "; " in line
        assert services("policy", "check", "--server").code == 2
        assert services("policy", "apply").code == 2
    finally:
        bad.unlink()
    assert services.ask("policy", "show")["digest"] == before
    assert services.ask("policy", "apply")["digest"] == before
    assert services.ask("policy", "apply")["waiting"] == []
    assert "base/granted-calls" in services("policy", "rules").out
    assert "forbid" in services("policy", "rules", "--text").out
    assert "entity" in services("policy", "schema").out


def test_who_of_nobody_says_that_one_process_serves(services: Remit) -> None:
    """And a program is told that there are no replicas."""
    assert "one process serves this store" in services("who").out
    assert services.ask("who")["replicas"] == []
    assert "replica `writer_x` is not running" in services("who", "writer_x").err
