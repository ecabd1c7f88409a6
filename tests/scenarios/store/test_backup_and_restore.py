# SPDX-License-Identifier: Apache-2.0
"""Threat: a backup brings back what was ended, or a restore hides what was lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.core.canonical import digest
from tests.gateways.remit_up import CODE, Remit, furnished

pytestmark = pytest.mark.long


@pytest.fixture
def remit(tmp_path: Path) -> Iterator[Remit]:
    """A remit with people and an agent, and a second administrator."""
    with furnished(tmp_path) as made:
        assert made("person", "add", "root2", "--role", "administrator").code == 0
        yield made


def opened(remit: Remit) -> str:
    """Open a task, and return its id."""
    task = remit.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
    return str(task["id"])


def in_again(remit: Remit, person: str = "admin") -> None:
    """Start remit with a code for a person, as after a restore no session is left, and sign that one in."""
    remit.start("--code-for", person, port=remit.port)
    found = CODE.search(remit.log.read_text())
    assert found
    by = "" if person == "admin" else person
    assert remit("login", "--code-stdin", by=by, given=found[0]).code == 0


def test_a_restore_to_the_signed_head_loses_nothing_and_ends_what_was_open(
    remit: Remit, tmp_path: Path
) -> None:
    """The task that was open in the backup is over, no one is signed in, and the evidence has no gap."""
    task, file = opened(remit), tmp_path / "one.remit"
    remit.ask("backup", str(file), "--without-keys")
    assert file.stat().st_mode & 0o777 == 0o600, "made while remit serves"
    remit.stop()
    file = tmp_path / "two.remit"
    made = remit.ask("backup", str(file), "--without-keys")
    assert remit.ask("backup", "verify", str(file))["root"] == made["root"]
    done = remit.ask("restore", str(file))
    assert (done["loss"], done["events"]) == ("none", made["events"])
    assert Path(done["store_aside"]).exists()
    in_again(remit)
    assert remit("task", "list", by="ana").code != 0
    assert remit.ask("task", "show", task)["state"] == "revoked"
    assert remit.ask("audit", "verify")["holds"]
    assert opened_by_admin(remit)


def opened_by_admin(remit: Remit) -> str:
    """Open a task for the person ana, signed in by a fresh code."""
    remit.sign_in("ana")
    return opened(remit)


def test_a_loss_is_refused_then_locked_and_accepted_by_two(remit: Remit, tmp_path: Path) -> None:
    """Without `--accept-loss` nothing changes. With it, one administrator alone unlocks nothing."""
    task, file = opened(remit), tmp_path / "old.remit"
    assert remit.ask("audit", "verify")["holds"]
    remit.ask("backup", str(file), "--without-keys")
    assert remit("end", task).code == 0
    assert remit("agent", "suspend", "note-bot", "--reason", "stolen").code == 0
    lost = remit.ask("audit", "verify")
    serving = remit("restore", str(file))
    assert "stop that process" in serving.err or "stop every remit" in serving.err
    assert "--accept-loss" not in serving.err
    remit.stop()
    refused = remit("restore", str(file), "--json")
    assert refused.code == 4, refused.err
    assert "would be lost" in refused.err
    in_again(remit)
    assert remit.ask("task", "show", task)["state"] == "revoked", "nothing was changed"
    remit.stop()
    done = remit.ask("restore", str(file), "--accept-loss")
    assert done["loss"] == "known"
    assert done["lost_size"] >= lost["size"]
    in_again(remit)
    assert remit.ask("task", "show", task)["state"] == "revoked"
    assert remit.ask("agent", "show", "note-bot")["state"] == "suspended"
    failed = remit("audit", "verify", "--json")
    assert failed.code == 4
    assert "loss-not-accepted" in failed.out
    assert "remit unlock everything" in failed.out
    (lock,) = remit.ask("lock")["items"]
    seen = ("--confirm", digest(lock))
    alone = remit("unlock", "everything", *seen)
    assert alone.code != 0
    assert "second administrator" in alone.err
    # A code that the first one makes for the second leaves one hand behind both.
    remit.sign_in("root2")
    same = remit("unlock", "everything", *seen, by="root2")
    assert same.code != 0
    assert "same person" in same.err
    assert remit("person", "sign-out", "root2").code == 0
    remit.stop()
    in_again(remit, "root2")
    again = remit("unlock", "everything", *seen, by="root2")
    assert again.code != 0
    assert "second administrator" in again.err
    assert remit("unlock", "everything", *seen).code == 0
    held = remit.ask("audit", "verify")
    assert held["holds"]
    assert held["seen_lost"]
    assert [(one["lost_size"], one["accepted"]) for one in held["restores"]] == [(done["lost_size"], True)]
    assert remit.ask("audit", "verify")["seen_lost"] is False
