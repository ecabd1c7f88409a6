# SPDX-License-Identifier: Apache-2.0
"""Threat: an operator is made to restore an old, foreign or crafted backup; what was ended lives again."""

import contextlib
import os
import sqlite3
import stat
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remit.adapters.store.postgres.session import connect
from remit.cli.doctor.check import Check
from remit.cli.doctor.checks import examine_all
from remit.cli.global_options import Invocation
from remit.core.decisions.approval import ApprovalState
from remit.core.errors import (
    Conflict,
    Forbidden,
    HeadMissing,
    KeyUnavailable,
    RemitError,
    StoreUnavailable,
    VerificationFailed,
)
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import Event, EventKind
from remit.core.evidence.events.system import LogRestored
from remit.core.evidence.restore import UNSETTLED, Loss
from remit.core.evidence.verification import SeenRoot, verify_export
from remit.core.identity.principals import AgentState, Role
from remit.core.keys.own_keys import KeyKind
from remit.core.scope import ScopeKind
from remit.ports.store.changes import (
    Credential,
    PutAgent,
    PutApproval,
    PutCredential,
    PutDelegation,
    PutPerson,
    PutTask,
    PutValue,
    RaiseFence,
)
from remit.ports.store.units import Unit
from tests.worlds.kept_store import KeptStore
from tests.worlds.values import TENANT, a_delegation, a_person, a_task, an_agent, an_approval, an_event

NOW = datetime.now(UTC)
ROOTS = (
    PutPerson(a_person("root", roles=frozenset({Role.ADMINISTRATOR}))),
    PutPerson(a_person("vera", roles=frozenset({Role.ADMINISTRATOR}))),
)


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> KeptStore:
    """Provide a configured folder, with each kind of store."""
    url = request.getfixturevalue("postgres") if request.param == "postgres" else ""
    return KeptStore(tmp_path / "house", url)


def doctor(kept: KeptStore) -> list[Check]:
    """Return what `remit doctor` says of the evidence."""
    checks = examine_all(Invocation(config=str(kept.folder / "remit.yaml")))
    return [one for one in checks if one.subject == "evidence"]


async def refusal(kept: KeptStore, file: Path) -> str:
    """Verify and restore a file, both refused; return the code."""
    with pytest.raises(RemitError) as verified:
        await kept.verify(file)
    with pytest.raises(RemitError) as restored:
        await kept.restore(file, accept=True)
    assert restored.value.code == verified.value.code
    return restored.value.code


async def test_nothing_that_was_open_in_a_backup_lives_after_its_restore(
    kept: KeptStore, tmp_path: Path
) -> None:
    """Task, approval, agent, delegation, session: ended, used or revoked since, they stay dead."""
    task = a_task(deadline=NOW + timedelta(days=9))
    granted = an_approval(state=ApprovalState.APPROVED, expires=NOW + timedelta(days=9))
    session = Credential(
        tenant=TENANT, digest="d", kind="session", person="lena", created=NOW, expires=NOW + timedelta(days=9)
    )
    await kept.commit(
        *ROOTS,
        PutPerson(a_person("lena")),
        PutAgent(an_agent(state=AgentState.ACTIVE)),
        PutTask(task),
        PutApproval(granted),
        PutDelegation(a_delegation(expires=NOW + timedelta(days=9))),
        PutCredential(session),
    )
    made = await kept.back_up(tmp_path / "a.remit")
    size = await kept.commit(RaiseFence(TENANT, "agent:other", locked=True), events=9)
    with pytest.raises(VerificationFailed, match="would be lost"):
        await kept.restore(tmp_path / "a.remit")
    done = await kept.restore(tmp_path / "a.remit", accept=True)
    assert (done.log.loss, done.log.size) == (Loss.KNOWN, made.manifest.log.size)
    assert done.log.lost_size == size
    assert done.log.lost_note
    async with kept.opened() as services:
        found = await services.store.task(TENANT, task.id)
        assert found is not None
        assert found.state.ended
        approval = await services.store.approval(TENANT, granted.id)
        assert approval is not None
        assert approval.state not in (ApprovalState.APPROVED, ApprovalState.PENDING)
        assert (await services.identity.directory.agent("contract-bot")).state is AgentState.SUSPENDED
        record = await services.people.delegations.get("dlg_one")
        assert record.revoked is not None
        assert await services.store.signed_in(TENANT, "d") is None
        locked = {one.scope for one in await services.store.fences(TENANT) if one.locked}
        assert {"everything:*", "agent:other"} <= locked, "a lock of since then is carried over"
        events = [one async for one in services.evidence.log.export()]
        assert b"log.restored" in b"".join(events)
        assert await services.store.value(TENANT, UNSETTLED) is None


async def test_two_administrators_accept_a_loss_and_one_alone_does_not(
    kept: KeptStore, tmp_path: Path
) -> None:
    """Who has asked once does not count twice; a lone administrator of a backup is no dead end."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "two.remit")
    await kept.commit(events=3)
    await kept.restore(tmp_path / "two.remit", accept=True)
    async with kept.opened() as services:
        root, vera = [await services.identity.directory.person(one) for one in ("root", "vera")]
        unlock = services.endings.locks.unlock
        for _ in range(2):
            with pytest.raises(Forbidden) as refused:
                await unlock(ScopeKind.EVERYTHING, "*", person=root)
            assert refused.value.code == "second-person"
        await unlock(ScopeKind.EVERYTHING, "*", person=vera)
        assert await services.endings.locks.loss() is None
        assert await services.endings.locks.all() == []
        accepted = list(await services.evidence.log.pages(kinds=(EventKind.LOSS_ACCEPTED.value,)))
        assert len(accepted) == 1
        assert b'"administrators":2' in accepted[0].leaf


async def test_a_lone_administrator_accepts_unless_two_are_configured(
    kept: KeptStore, tmp_path: Path
) -> None:
    """Where the configuration demands two, such a backup is refused before anything is changed."""
    await kept.commit(ROOTS[0])
    await kept.back_up(tmp_path / "one.remit")
    await kept.commit(events=3)
    config = kept.folder / "remit.yaml"
    before = config.read_text()
    config.write_text(before + "people: {second_person: true}\n")
    with pytest.raises(VerificationFailed) as refused:
        await kept.restore(tmp_path / "one.remit", accept=True)
    assert refused.value.code == "second-person"
    config.write_text(before)
    with pytest.raises(VerificationFailed) as refused:
        await kept.restore(tmp_path / "one.remit")
    assert "its administrator accepts the loss" in refused.value.remediation
    await kept.restore(tmp_path / "one.remit", accept=True)
    async with kept.opened() as services:
        await services.endings.locks.unlock(
            ScopeKind.EVERYTHING, "*", person=await services.identity.directory.person("root")
        )
        assert await services.endings.locks.all() == []


async def test_who_lost_a_role_since_the_backup_does_not_get_it_back(kept: KeptStore, tmp_path: Path) -> None:
    """Nor counts as one of two, which would leave a lone one who can accept nothing."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "a.remit")
    await kept.commit(PutPerson(a_person("vera")))
    config = kept.folder / "remit.yaml"
    before = config.read_text()
    config.write_text(before + "people: {second_person: true}\n")
    with pytest.raises(VerificationFailed) as refused:
        await kept.restore(tmp_path / "a.remit", accept=True)
    assert refused.value.code == "second-person"
    config.write_text(before)
    await kept.restore(tmp_path / "a.remit", accept=True)
    async with kept.opened() as services:
        assert not (await services.identity.directory.person("vera")).roles
        root = await services.identity.directory.person("root")
        await services.endings.locks.unlock(ScopeKind.EVERYTHING, "*", person=root)
    await kept.commit(PutPerson(a_person("root")))
    with pytest.raises(VerificationFailed) as none_left:
        await kept.restore(tmp_path / "a.remit", accept=True)
    assert none_left.value.code == "no-administrator"


async def test_what_a_first_administrator_asked_before_the_backup_is_no_half_of_a_consent(
    kept: KeptStore, tmp_path: Path
) -> None:
    """A request for a second word, in a backup of minutes ago, is not restored."""
    await kept.commit(*ROOTS, PutValue(TENANT, "second:abc", {"by": "root", "until": "2099-01-01T00:00:00Z"}))
    await kept.back_up(tmp_path / "a.remit")
    await kept.restore(tmp_path / "a.remit")
    async with kept.opened() as services:
        assert await services.store.values(TENANT, "second:") == []


async def test_a_forgotten_person_stays_forgotten_and_a_deactivated_one_away(
    kept: KeptStore, tmp_path: Path
) -> None:
    """The store that is replaced still knows it; keys that are missing without a record are not forgotten."""
    said = an_event(subject="lena", sealed={"text": "words of lena"})
    async with kept.opened() as services:
        await services.store.commit(
            Unit((*ROOTS, PutPerson(a_person("lena")), PutPerson(a_person("omar"))), (said,))
        )
    await kept.back_up(tmp_path / "a.remit")
    async with kept.opened() as services:
        await services.evidence.log.forget("lena", by="root")
        await services.identity.personnel.deactivate("omar", by="root")
    await kept.restore(tmp_path / "a.remit", accept=True)
    async with kept.opened() as services:
        (told,) = [one for one in await services.evidence.log.pages() if b"task.message" in one.leaf]
        assert told.openings is None
        assert not (await services.identity.directory.person("omar")).active


async def say(kept: KeptStore, *people: str) -> None:
    """Seal words of people, which are their names."""
    async with kept.opened() as services:
        said = (an_event(subject=one, sealed={"text": one}) for one in people)
        await services.store.commit(Unit(events=tuple(said)))


async def forget(kept: KeptStore, person: str) -> None:
    """Erase a person."""
    async with kept.opened() as services:
        await services.evidence.log.forget(person, by="root")


async def readable(kept: KeptStore) -> list[object]:
    """Return the words that can still be read."""
    async with kept.opened() as services:
        opened = [one.opened or {} for one in await services.evidence.log.pages()]
    return [one["text"] for one in opened if "text" in one]


async def test_who_was_forgotten_stays_so_through_any_restores(kept: KeptStore, tmp_path: Path) -> None:
    """Of the same backup again, and of one that knew less; the log that is restored says it each time."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "before.remit")
    await say(kept, "lena", "omar")
    await kept.back_up(tmp_path / "both.remit")
    await forget(kept, "lena")
    for name in ("both", "both", "before", "both"):
        await kept.restore(tmp_path / f"{name}.remit", accept=True)
        assert await readable(kept) == ([] if name == "before" else ["omar"])
        async with kept.opened() as services:
            assert len(await services.evidence.log.pages(kinds=(EventKind.SUBJECT_FORGOTTEN.value,))) == 1


async def test_a_restore_that_was_cut_short_forgets_no_erasure(
    kept: KeptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log does not say the erasure yet."""
    await kept.commit(*ROOTS)
    await say(kept, "lena", "omar")
    await kept.back_up(tmp_path / "a.remit")
    await forget(kept, "lena")
    with monkeypatch.context() as broken:
        broken.setattr("remit.compose.backup.backup.Restoration.settle", _break)
        with pytest.raises(RuntimeError, match="cut short"):
            await kept.restore(tmp_path / "a.remit", accept=True)
    await kept.restore(tmp_path / "a.remit", accept=True)
    assert await readable(kept) == ["omar"]


async def test_who_was_not_forgotten_comes_back_with_a_newer_backup(kept: KeptStore, tmp_path: Path) -> None:
    """After the restore of one that was too old: the erasure of another is not theirs."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "old.remit")
    await say(kept, "lena")
    await kept.back_up(tmp_path / "new.remit")
    await kept.restore(tmp_path / "old.remit", accept=True)
    await say(kept, "omar")
    await forget(kept, "omar")
    await kept.restore(tmp_path / "new.remit", accept=True)
    assert await readable(kept) == ["lena"]


async def test_an_erasure_by_an_older_version_stays_one(tmp_path: Path) -> None:
    """Its event does not name the key; the first restore after it finds that, and names it."""
    kept = KeptStore(tmp_path / "house")
    await kept.commit(*ROOTS)
    await say(kept, "lena", "omar")
    await kept.back_up(tmp_path / "a.remit")
    async with kept.opened() as services:
        await services.store.commit(Unit(events=(an_event(kind=EventKind.SUBJECT_FORGOTTEN, facts={}),)))
    with contextlib.closing(sqlite3.connect(kept.folder / ".remit" / "remit.db")) as db, db:
        db.execute("delete from subject_keys where subject = 'lena'")
    for _ in range(2):
        await kept.restore(tmp_path / "a.remit", accept=True)
        assert await readable(kept) == ["omar"]


@pytest.mark.parametrize(
    "hidden", ["", "update events set kind = 'subject.forgotten' where kind = 'task.message'"]
)
async def test_a_key_that_others_deleted_was_not_forgotten(tmp_path: Path, hidden: str) -> None:
    """Not even beside erasures of other people, and whatever a column says that no leaf does."""
    kept = KeptStore(tmp_path / "house")
    await kept.commit(*ROOTS)
    await say(kept, "lena")
    await kept.back_up(tmp_path / "a.remit")
    await say(kept, "omar")
    await forget(kept, "omar")
    with contextlib.closing(sqlite3.connect(kept.folder / ".remit" / "remit.db")) as store, store:
        store.execute("delete from subject_keys where subject = 'lena'")
        store.execute(hidden)
    with pytest.raises(VerificationFailed) as refused:
        await kept.restore(tmp_path / "a.remit", accept=True)
    assert refused.value.code == "subjects-missing"


async def test_a_restore_on_another_machine_takes_its_keys_from_the_backup(
    kept: KeptStore, tmp_path: Path
) -> None:
    """With nothing known of the log there, the loss is unknown, and says so."""
    await kept.commit(*ROOTS)
    words = "correct horse battery staple"
    made = await kept.back_up(tmp_path / "a.remit", words)
    elsewhere = KeptStore(tmp_path / "elsewhere")
    for passphrase, code in (("", "keys-missing"), ("another long passphrase", "key-unavailable")):
        with pytest.raises(KeyUnavailable) as refused:
            await elsewhere.restore(tmp_path / "a.remit", accept=True, passphrase=passphrase)
        assert refused.value.code == code
    with pytest.raises(VerificationFailed, match="no later head"):
        await elsewhere.restore(tmp_path / "a.remit", passphrase=words)
    done = await elsewhere.restore(tmp_path / "a.remit", accept=True, passphrase=words)
    assert done.log.loss is Loss.UNKNOWN
    assert done.log.size == made.manifest.log.size
    for place in (elsewhere.folder / ".remit").rglob("*"):
        assert not stat.S_IMODE(place.stat().st_mode) & 0o077, place
    async with elsewhere.opened() as services:
        assert len(await services.identity.directory.people()) == 2


async def test_a_backup_of_another_remit_is_refused(kept: KeptStore, tmp_path: Path) -> None:
    """It has the same name of the log, and another key."""
    await kept.commit()
    other = KeptStore(tmp_path / "other")
    await other.commit(*ROOTS)
    await other.back_up(tmp_path / "other.remit")
    assert await refusal(kept, tmp_path / "other.remit") == "backup-foreign"


async def test_another_remits_key_that_is_given_does_not_help(kept: KeptStore, tmp_path: Path) -> None:
    """An operator who is given a backup with its key restores no stranger's people; verifying is harmless."""
    await kept.commit(*ROOTS)
    other = KeptStore(tmp_path / "other")
    await other.commit(*ROOTS)
    await other.back_up(tmp_path / "other.remit")
    async with other.opened() as services:
        key = services.evidence.log.verifier
    with pytest.raises(VerificationFailed, match="never a key"):
        await kept.restore(tmp_path / "other.remit", key=key, accept=True)
    stranger = KeptStore(tmp_path / "stranger")
    assert (await stranger.verify(tmp_path / "other.remit", key=key)).manifest.log.size
    with pytest.raises(KeyUnavailable):
        await stranger.restore(tmp_path / "other.remit", key=key, accept=True)


async def test_a_backup_signed_by_a_key_that_was_replaced_needs_that_key_by_name(
    kept: KeptStore, tmp_path: Path
) -> None:
    """A stolen old key alone signs nothing that is restored without a word."""
    await kept.commit(*ROOTS)
    made = await kept.back_up(tmp_path / "a.remit")
    async with kept.opened() as services:
        old = services.evidence.log.verifier
        await services.identity.rotations.rotate(KeyKind.CHECKPOINT, by="root", at_once=True)
    assert await refusal(kept, tmp_path / "a.remit") == "backup-foreign"
    done = await kept.restore(tmp_path / "a.remit", key=old, accept=True)
    assert done.log.size == made.manifest.log.size
    async with kept.opened() as services:
        assert services.evidence.log.verifier != old


async def test_a_torn_or_changed_backup_is_refused_at_every_cut_and_bit(
    kept: KeptStore, tmp_path: Path
) -> None:
    """Nothing of the store changes."""
    await kept.commit(*ROOTS, events=30)
    made = await kept.back_up(tmp_path / "a.remit")
    whole = (tmp_path / "a.remit").read_bytes()
    bad = tmp_path / "bad.remit"
    content = made.manifest.content_bytes
    for cut in (0, 5, 40, content // 2, content, len(whole) - 1):
        bad.write_bytes(whole[:cut])
        assert await refusal(kept, bad) in ("backup-torn", "backup-foreign")
    for at in (20, content // 2, content - 1, content + 30, len(whole) - 60, len(whole) - 20):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert await refusal(kept, bad) in ("backup-changed", "backup-torn", "backup-foreign", "backup-newer")
    bad.write_bytes(whole + b"more")
    assert await refusal(kept, bad) == "backup-torn"
    async with kept.opened() as services:
        assert len(await services.identity.directory.people()) == 2


async def test_a_crafted_file_is_refused_before_its_size_is_believed(tmp_path: Path) -> None:
    """A huge manifest, a frame that unpacks to gigabytes, a pipe, a link to a device."""
    kept = KeptStore(tmp_path / "house")
    await kept.commit()
    end = struct.Struct(">QII8s")
    bad = tmp_path / "bad.remit"
    with bad.open("wb") as out:
        out.write(b"remit-backup 1\n")
        out.truncate(2**32 - 1)
        out.seek(2**32 - 1)
        out.write(end.pack(15, 2**32 - 16, 0, b"remitbk1"))
    assert await refusal(kept, bad) == "backup-changed"
    bad.unlink()
    os.mkfifo(bad)
    assert await refusal(kept, bad) == "backup-foreign"
    bad.unlink()
    bad.symlink_to("/dev/zero")
    assert await refusal(kept, bad) == "backup-foreign"


async def test_a_restore_that_was_cut_short_is_repeated_and_nothing_starts_before(
    kept: KeptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is in place, what it holds is not ended: the first loss is not forgotten either."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "a.remit")
    size = await kept.commit(events=9)
    with monkeypatch.context() as broken:
        broken.setattr("remit.compose.backup.backup.Restoration.settle", _break)
        with pytest.raises(RuntimeError, match="cut short"):
            await kept.restore(tmp_path / "a.remit", accept=True)
    with pytest.raises(VerificationFailed):
        async with kept.opened():
            pass
    assert [one.state for one in doctor(kept)] == ["fail"]
    (kept.folder / ".remit" / "head").rename(tmp_path / "head")
    with pytest.raises(VerificationFailed) as unfinished:
        async with kept.opened():
            pass
    assert unfinished.value.code == "restore-unfinished"
    assert ["interrupted" in one.says for one in doctor(kept)] == [True]
    done = await kept.restore(tmp_path / "a.remit", accept=True)
    assert (done.log.loss, done.log.lost_size) == (Loss.KNOWN, size)
    async with kept.opened():
        pass
    assert [one.state for one in doctor(kept)] == ["note"], "the loss is not accepted yet"


async def _break(*_: object) -> None:
    raise RuntimeError("cut short")


async def test_a_store_that_remit_would_not_start_on_is_not_backed_up(
    kept: KeptStore, tmp_path: Path
) -> None:
    """Without the head, a backup would sign a log that may have been shortened; a file is never replaced."""
    await kept.commit()
    (tmp_path / "there.remit").write_text("x")
    with pytest.raises(Conflict):
        await kept.back_up(tmp_path / "there.remit")
    assert (tmp_path / "there.remit").read_text() == "x"
    (kept.folder / ".remit" / "head").rename(tmp_path / "head")
    with pytest.raises(HeadMissing):
        await kept.back_up(tmp_path / "a.remit")
    assert not [one for one in os.listdir(tmp_path) if "a.remit" in one], "no part of it stays"


async def test_a_log_with_pruned_events_is_restored_with_its_root(kept: KeptStore, tmp_path: Path) -> None:
    """Their leaves come back without their text; proofs and the next event go on from them."""
    await kept.commit(*ROOTS, events=12)
    async with kept.opened() as services:
        spans = [(0, 4), (6, 9)]
        facts = {"ranges": [list(one) for one in spans]}
        said = an_event(EventKind.LOG_PRUNED, tenant=services.tenant, facts=facts)
        await services.store.prune(services.tenant, spans, said)
    await kept.commit()
    made = await kept.back_up(tmp_path / "a.remit")
    done = await kept.restore(tmp_path / "a.remit")
    assert (done.log.loss, done.log.size) == (Loss.NONE, made.manifest.log.size)
    async with kept.opened() as services:
        size = made.manifest.log.size
        await services.store.consistency(services.tenant, 3, size)
        assert done.log.root == made.manifest.log.root
        left = [one.index for one in await services.store.entries(services.tenant, limit=100)]
        assert left[:6] == [4, 5, 9, 10, 11, 12]
        await services.store.inclusion(services.tenant, 2, size)
        assert len(await services.store.hashes(services.tenant, 0, 0, size)) == size


async def test_a_pruned_leaf_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    """No backup is made of a log with a hole."""
    kept = KeptStore(tmp_path / "house")
    await kept.commit(*ROOTS, events=6)
    async with kept.opened() as services:
        said = an_event(EventKind.LOG_PRUNED, tenant=services.tenant, facts={"ranges": [[0, 4]]})
        await services.store.prune(services.tenant, [(0, 4)], said)
    with contextlib.closing(sqlite3.connect(kept.folder / ".remit" / "remit.db")) as store, store:
        store.execute("delete from pruned_leaves where idx = 2")
    with pytest.raises(VerificationFailed, match="event 2 differs"):
        await kept.back_up(tmp_path / "a.remit")


async def test_a_store_in_use_is_not_replaced(kept: KeptStore, tmp_path: Path) -> None:
    """A remit that has it open keeps it."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "a.remit")
    async with kept.opened() as services:
        made = await kept.back_up(tmp_path / "b.remit")
        with pytest.raises(StoreUnavailable):
            await kept.restore(tmp_path / "b.remit", accept=True)
        assert await services.evidence.log.size() == made.manifest.log.size


async def test_a_connection_that_is_just_closing_does_not_stop_a_restore(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server lists a connection for moments after its remit stopped."""
    kept = KeptStore(tmp_path / "house", postgres)
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "a.remit")
    left = connect(postgres, "remit writer")
    monkeypatch.setattr("remit.adapters.store.postgres.backup.time.sleep", lambda _: left.close())
    done = await kept.restore(tmp_path / "a.remit")
    assert done.log.loss is Loss.NONE


async def test_a_backup_moves_from_one_kind_of_store_to_the_other(postgres: str, tmp_path: Path) -> None:
    """Its form is the same: from a file to a database, with the log and its proofs."""
    kept = KeptStore(tmp_path / "house")
    await kept.commit(*ROOTS, events=600)
    made = await kept.back_up(tmp_path / "a.remit")
    kept.move_to(postgres)
    done = await kept.restore(tmp_path / "a.remit")
    assert done.log.loss is Loss.NONE
    async with kept.opened() as services:
        head, proof = await services.evidence.log.growth(made.manifest.log.size)
        assert head.size > made.manifest.log.size
        assert proof


async def test_an_event_that_claims_a_restore_excuses_nothing(kept: KeptStore, tmp_path: Path) -> None:
    """A writer to the store who says that events were lost is told by place and root, and by no consent."""
    await kept.commit(*ROOTS, events=5)
    claim = LogRestored(
        backup="ab", made="", size=3, root="00" * 32, loss=Loss.KNOWN, lost_size=99, lost_root="00"
    )
    async with kept.opened() as services:
        event = Event.of(claim, at=NOW, tenant=TENANT, subject="root")
        await services.store.commit(Unit(events=(event,)))
        lines = [one async for one in services.evidence.log.export()]
        key = VerifierKey.parse(services.evidence.log.verifier)
    report = verify_export(lines, key, seen=SeenRoot(50, b"x"))
    assert {one.code for one in report.faults} == {"restore-misplaced", "loss-not-accepted", "rolled-back"}


async def test_one_acceptance_is_enough_after_a_restore_of_a_restored_log(
    kept: KeptStore, tmp_path: Path
) -> None:
    """A backup of a log whose loss was not accepted is restored: the evidence holds once that is accepted."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "a.remit")
    size = await kept.commit(events=9)
    await kept.restore(tmp_path / "a.remit", accept=True)
    await kept.back_up(tmp_path / "b.remit")
    done = await kept.restore(tmp_path / "b.remit", accept=True)
    assert done.log.lost_size == size
    async with kept.opened() as services:
        locks, (root, vera) = services.endings.locks, await services.store.people(services.tenant)
        with pytest.raises(Forbidden):
            await locks.unlock(ScopeKind.EVERYTHING, "*", person=root)
        await locks.unlock(ScopeKind.EVERYTHING, "*", person=vera)
    async with kept.opened() as services:
        lines = [one async for one in services.evidence.log.export()]
        key = VerifierKey.parse(services.evidence.log.verifier)
    report = verify_export(lines, key, seen=SeenRoot(size, bytes.fromhex(done.log.lost_root)))
    assert (report.faults, len(report.restores), report.seen_lost) == ((), 2, True)


async def test_a_backup_of_a_restore_that_was_cut_short_is_restored(
    kept: KeptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the restore before it was not complete is no hindrance."""
    await kept.commit(*ROOTS)
    await kept.back_up(tmp_path / "a.remit")
    with monkeypatch.context() as broken:
        broken.setattr("remit.compose.backup.backup.Restoration.settle", _break)
        with pytest.raises(RuntimeError, match="cut short"):
            await kept.restore(tmp_path / "a.remit")
    await kept.back_up(tmp_path / "b.remit")
    assert (await kept.restore(tmp_path / "b.remit")).log.loss is Loss.NONE
    async with kept.opened() as services:
        assert await services.store.value(services.tenant, UNSETTLED) is None
