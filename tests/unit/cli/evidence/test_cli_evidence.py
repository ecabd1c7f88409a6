# SPDX-License-Identifier: Apache-2.0
"""The evidence by command: reading, proving, verifying offline; health, sessions and an orderly end."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.core.evidence.event import EventKind, fields_of
from remit.core.evidence.events.kinds import BODIES
from tests.gateways.remit_up import CODE, Remit, furnished
from tests.refusals import failure


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


# Evidence.


def test_every_event_says_only_what_the_reference_knows(services: Remit, task: str) -> None:
    """No event of the log holds a kind, fact or sealed value that is missing in the reference."""
    services.call(task, "read_note", {"name": "shopping"})
    items = services.ask("audit", "log", "--start", "0", "--limit", "100000")["items"]
    assert {"task.opened", "decision.made", "tool.called", "data.read"} <= {one["kind"] for one in items}
    for one in items:
        known = {(field.said_as, field.sealed) for field in fields_of(BODIES[EventKind(one["kind"])])}
        said = {(name, False) for name in one["facts"]} | {(name, True) for name in one.get("sealed", {})}
        assert said <= known, one


def test_events_are_read_filtered_and_shown(services: Remit, task: str) -> None:
    """The list says each event in a few words; one event shows its facts and its values."""
    services.call(task, "read_note", {"name": "secrets"})
    said = services("audit", "log", "--task", task, "--kind", "decision.made")
    assert "deny" in said.out
    assert "task.opened" not in said.out
    index = services.ask("audit", "log", "--task", task, "--kind", "task.opened")["items"][0]["index"]
    shown = services("audit", "show", str(index)).out
    assert "Tidy up one note" in shown
    assert services("audit", "show", "999999").code == 2


@pytest.mark.parametrize(
    ("tool", "rule"), [("read_note", "task type tidy-note"), ("no_such_tool", "tidy-note")]
)
def test_the_id_that_an_agent_shows_explains_its_refusal(
    services: Remit, task: str, tool: str, rule: str
) -> None:
    """Which call it was and why it was refused, also for a name that no tool has."""
    told = failure(services.call(task, tool, {"name": "secrets"}))
    said = services("explain", told["decision"])
    assert said.code == 0
    for needed in ("deny", f"notes/{tool}", "secrets", "note-bot  for ana", rule):
        assert needed in said.out
    assert services.ask("explain", told["decision"])["decision"]["call"] == told["decision"]
    unknown = services("explain", "dec_nothing")
    assert unknown.code == 2
    assert "does not exist" in unknown.err


def test_a_receipt_is_verified_before_it_is_given(services: Remit) -> None:
    """The proof of an event is a C2SP tlog-proof that holds the event."""
    header, extra, index = services("audit", "prove", "3").out.splitlines()[:3]
    assert (header, index) == ("c2sp.org/tlog-proof@v1", "index 3")
    held = json.loads(base64.b64decode(extra.removeprefix("extra ")))
    shown = services.ask("audit", "show", "3")
    assert held == {name: value for name, value in shown.items() if name in held}


def test_the_receipt_of_an_event_verifies_offline(services: Remit, task: str, tmp_path: Path) -> None:
    """With file and key alone, on a machine that has never seen the log; a changed receipt is named."""
    index = services.ask("audit", "log", "--task", task, "--kind", "task.opened")["items"][0]["index"]
    place = tmp_path / "it.tlog-proof"
    verifier = services.ask("audit", "prove", str(index), "--out", str(place))["verifier"]
    assert services("audit", "verify", str(place)).code == 0

    def elsewhere(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            services.command("audit", "verify", str(place), *words),
            env={**services.env, "XDG_CONFIG_HOME": str(tmp_path), "REMIT_URL": "http://127.0.0.1:1"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    unknown = elsewhere()
    assert (unknown.returncode, "no key to verify with" in unknown.stderr) == (2, True)
    said = elsewhere("--key", verifier)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"verified: event {index}  task.opened")
    assert task in said.stdout
    assert elsewhere("--key", verifier, "--at-least", "100000").returncode == 4
    sound = place.read_bytes()
    extra = sound.split(b"\n")[1].removeprefix(b"extra ")
    other = base64.b64encode(base64.b64decode(extra).replace(b"note-bot", b"nota-bot"))
    for changed in (sound.replace(extra, other), sound.replace(b"index ", b"index 1"), sound[:-30]):
        place.write_bytes(changed)
        said = elsewhere("--key", verifier)
        assert said.returncode == 4
        assert said.stdout.startswith("DOES NOT VERIFY")
    place.write_bytes(sound.replace(b"extra " + extra + b"\n", b""))
    assert elsewhere("--key", verifier).returncode == 2


def test_a_log_that_only_grew_is_shown_without_its_events(services: Remit) -> None:
    """What held here is what the log begins with; a head of another log, or a longer one, does not hold."""
    assert "--growth" in services("audit", "verify", "--growth", "--task", "tsk_x").err
    before = services.ask("audit", "verify")["size"]
    services.ask("person", "code", "ana")
    told = services.ask("audit", "verify", "--growth")
    assert (told["holds"], told["old"]) == (True, before)
    assert told["size"] > before
    again = services("audit", "verify", "--growth")
    assert again.out.startswith(f"verified: the running remit; it begins with the {told['size']} events")
    assert services("audit", "verify", "--growth", "--at-least", "100000").code == 4
    logs = Path(services.env["XDG_CONFIG_HOME"]) / "remit" / "logs.json"
    sound = logs.read_text()
    seen = json.loads(sound)
    try:
        for other in ({"root": "00" * 32}, {"size": 1_000_000}):
            forged = {key: head | other for key, head in seen["heads"].items()}
            logs.write_text(json.dumps(seen | {"heads": forged}))
            said = services("audit", "verify", "--growth")
            assert said.code == 4, other
            assert said.out.startswith("DOES NOT VERIFY: the running remit")
        logs.write_text(json.dumps(seen | {"heads": {}}))
        unknown = services("audit", "verify", "--growth")
        assert unknown.code == 2
        assert "run `remit audit verify` once" in unknown.err
    finally:
        logs.write_text(sound)


def test_the_evidence_verifies_offline_and_an_attack_is_named(services: Remit, tmp_path: Path) -> None:
    """An export verifies under the log's key; a changed event and a cut-back log exit 4 and are named."""
    file = tmp_path / "evidence.jsonl"
    fetched = services.ask("audit", "export", str(file))
    older = tmp_path / "older.jsonl"
    older.write_bytes(file.read_bytes())
    assert services("audit", "verify", str(file), "--key", fetched["verifier"]).out.startswith("verified")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'\\"kind\\":\\"', b'\\"kind\\":\\"x')
    attacked = tmp_path / "attacked.jsonl"
    attacked.write_bytes(b"".join(lines))
    said = services("audit", "verify", str(attacked))
    assert said.code == 4
    assert "event 3" in said.out or "event 4" in said.out
    services.ask("task", "types")
    services.ask("person", "code", "ana")
    assert services("audit", "verify").code == 0
    rolled = services("audit", "verify", str(older))
    assert rolled.code == 4
    assert "truncated" in rolled.out


def test_a_key_that_only_the_file_vouches_for_verifies_nothing(services: Remit, tmp_path: Path) -> None:
    """Without a key, and without having seen it before, a file is not called verified."""
    file = tmp_path / "evidence.jsonl"
    services.ask("audit", "export", str(file))
    stranger = {**services.env, "XDG_CONFIG_HOME": str(tmp_path)}
    told = subprocess.run(
        services.command("audit", "verify", str(file)),
        env=stranger,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert told.returncode == 2
    assert "no key to verify with" in told.stderr


# Health, and the end.


def test_doctor_finds_what_is_wrong(services: Remit) -> None:
    """A sound gateway passes and says that it is not isolated; a key that others can read fails."""
    healthy = services("doctor")
    assert healthy.code == 0, healthy.out
    assert "isolation: none" in healthy.out
    key = services.folder / ".remit" / "agents" / "note-bot.key.json"
    key.chmod(0o644)
    try:
        said = services("doctor", "--json")
        assert said.code == 1
        assert any(
            "chmod 600" in one["remediation"] for one in said.json["findings"] if one["state"] == "fail"
        )
    finally:
        key.chmod(0o600)


def test_without_a_role_one_sees_ones_own_alone(services: Remit, task: str) -> None:
    """A person without a role reads neither the evidence nor the people."""
    assert services("audit", "log", by="ana").code == 1
    assert services("person", "list", by="ana").code == 1
    assert services("task", "show", task, by="ana").code == 0


def test_a_log_that_was_begun_anew_is_taken_by_its_key(services: Remit) -> None:
    """Where another key was seen at the address nothing is fetched, until a person supplies the right one."""
    place = Path(services.env["XDG_CONFIG_HOME"]) / "remit" / "logs.json"
    file = services.folder / "anew.jsonl"
    own = services.ask("audit", "export", str(file))["verifier"]
    before = place.read_text()
    seen = json.loads(before)
    seen["keys"][services.url] = "remit/default+5d70aa36+AY6WZwBYJFAmycg0dPAUa+M4zMfhCUIlaLn1g+Hy2et7"
    place.write_text(json.dumps(seen))
    try:
        for words in (("verify",), ("export", str(file))):
            said = services("audit", *words)
            assert (said.code, "remit audit verify --anew --key KEY" in said.err) == (4, True), said
        assert services("audit", "verify", "--key", own).code == 4
        assert services("audit", "verify", "--anew").code == 2
        assert services("audit", "verify", "--anew", "--key", seen["keys"][services.url]).code == 4
        assert services("audit", "verify", "--anew", "--key", own).code == 0
        assert services("audit", "verify").code == 0
        assert services("audit", "export", str(file)).code == 0
    finally:
        place.write_text(before)


def test_a_task_that_there_is_not_has_no_evidence(services: Remit) -> None:
    """A misspelt name is an error, and leaves no file that would verify."""
    place = services.folder / "none.jsonl"
    for words in (("export", str(place)), ("verify",)):
        said = services("audit", *words, "--task", "tsk_misspelt")
        assert (said.code, "no event belongs to task `tsk_misspelt`" in said.err) == (2, True), said
    assert not place.exists()


def test_signing_out_ends_the_session(services: Remit) -> None:
    """After `logout` the session opens nothing, here and at remit."""
    services.sign_in("omar")
    said = services("logout", by="omar")
    assert (said.code, "Signed out omar of " in said.out) == (0, True)
    said = services("approvals", by="omar")
    assert said.code == 1
    assert "`omar` is not signed in" in said.err
    services.sign_in("omar")


@pytest.mark.slow
def test_a_signal_ends_it_in_order_and_a_lost_administrator_gets_back_in(tmp_path: Path) -> None:
    """SIGTERM exits 0 after signing the last head; `--code-for` gives a code to the operator who can start
    remit.
    """
    with furnished(tmp_path) as services:
        assert services.stop() == 0
        assert "signed; stopped" in services.log.read_text()
        services.start()
        assert not CODE.search(services.log.read_text()), (
            "somebody has signed in before, so no code is printed"
        )
        assert services.stop(signal.SIGINT) == 0
        services.start("--code-for", "admin")
        found = CODE.search(services.log.read_text())
        assert found
        assert services("login", "--code-stdin", given=found[0]).code == 0
        kinds = [one["kind"] for one in services.ask("audit", "log", "--limit", "1000")["items"]]
        assert kinds.count("system.started") == 3
        assert kinds.count("system.stopped") == 2
        assert services.stop() == 0
