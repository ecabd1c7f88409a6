# SPDX-License-Identifier: Apache-2.0
"""What the keeper of keys in files adds to `tests/conformance/test_keys_conformance.py`."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from remit.adapters.keys import key_folder as shelf
from remit.adapters.keys import secret_files as files_of_keys
from remit.adapters.keys.file import FileAuthorityKeys, FileCheckpointKeys, FileSealingKeys, FileTokenKeys
from remit.core.errors import KeyUnavailable, Unauthenticated
from remit.core.keys.own_keys import KeyKind
from tests.faults.held_lock import held_elsewhere
from tests.worlds.values import WorldClock, WorldEntropy

CLAIMS = {"iss": "https://remit.example", "sub": "contract-bot", "exp": 1800000000}


def open_all(folder: Path) -> None:
    """Open the keys of every purpose."""
    clock = WorldClock()
    FileTokenKeys(folder, clock)
    FileTokenKeys(folder, clock, kind=KeyKind.SVID)
    FileCheckpointKeys(folder, "remit.example", clock)
    FileSealingKeys(folder, WorldEntropy(), clock)
    FileAuthorityKeys(
        folder,
        "remit.example",
        WorldEntropy("ca"),
        clock,
        life=timedelta(days=21),
        overlap=timedelta(hours=2),
    )


NAMES = ("token-1.pem", "checkpoint-1.pem", "sealing-1.key", "ca-1.pem", "svid-1.pem")
AHEAD = ("token-2.pem", "ca-2.pem", "svid-2.pem")
BOOKS = tuple(f"{kind}.json" for kind in KeyKind)


def test_each_purpose_has_files_of_its_own(tmp_path: Path) -> None:
    """All with mode 0600, in a folder of mode 0700, and nothing else beside them."""
    open_all(tmp_path / "keys")
    files = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()}
    assert files == dict.fromkeys((*NAMES, *AHEAD, *BOOKS), 0o600)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert len({(tmp_path / "keys" / name).read_bytes() for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_book_holds_a_key(tmp_path: Path, name: str) -> None:
    """Not a line of a key's file is in a book."""
    open_all(tmp_path / "keys")
    books = b"".join((tmp_path / "keys" / book).read_bytes() for book in BOOKS)
    lines = (tmp_path / "keys" / name).read_bytes().splitlines()
    assert not any(line in books for line in lines if len(line) > 20)


@pytest.mark.parametrize("name", [*NAMES, *BOOKS])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700])
def test_a_key_that_others_could_use_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    """The message names the file and the command that helps."""
    open_all(tmp_path / "keys")
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(KeyUnavailable, match=f"chmod 600 .*{name}"):
        open_all(tmp_path / "keys")


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    """They could exchange the files in it."""
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(KeyUnavailable, match="chmod 700"):
        open_all(tmp_path / "keys")


def test_a_folder_below_a_shared_volume_is_accepted(tmp_path: Path) -> None:
    """It inherits the bit setgid, by which no one else may enter it."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o2700)
    open_all(tmp_path / "keys")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    """The owner of the file can open it again."""
    open_all(tmp_path / "keys")
    os.chown(tmp_path / "keys" / "sealing-1.key", 12345, -1)
    with pytest.raises(KeyUnavailable, match="another user"):
        open_all(tmp_path / "keys")


@pytest.mark.parametrize("name", [*NAMES, *BOOKS])
def test_a_link_is_no_key(tmp_path: Path, name: str) -> None:
    """Wherever it leads."""
    open_all(tmp_path / "keys")
    file = tmp_path / "keys" / name
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyUnavailable):
        open_all(tmp_path / "keys")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", [*NAMES, None])
def test_a_file_of_another_purpose_is_refused(tmp_path: Path, name: str, other: str | None) -> None:
    """Damaged, or the key of another purpose: never replaced by a new one in silence."""
    if name == other:
        return
    open_all(tmp_path / "keys")
    content = (tmp_path / "keys" / other).read_bytes() if other else b"nonsense"
    (tmp_path / "keys" / name).write_bytes(content)
    with pytest.raises(KeyUnavailable, match=name):
        open_all(tmp_path / "keys")


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("content", [b"", b"{}", b'{"kind":"token","keys":[]}', b"[1]"])
def test_a_damaged_book_is_refused(tmp_path: Path, book: str, content: bytes) -> None:
    """It is not begun again: that would let a retired key come back."""
    open_all(tmp_path / "keys")
    (tmp_path / "keys" / book).write_bytes(content)
    with pytest.raises(KeyUnavailable, match=book):
        open_all(tmp_path / "keys")


@pytest.mark.parametrize("name", NAMES)
def test_a_current_key_that_is_gone_is_missed(tmp_path: Path, name: str) -> None:
    """No other key is made in its place: its signatures would belong to no known key."""
    open_all(tmp_path / "keys")
    (tmp_path / "keys" / name).unlink()
    with pytest.raises(KeyUnavailable, match=name):
        open_all(tmp_path / "keys")


async def test_a_previous_key_ends_when_its_file_goes(tmp_path: Path) -> None:
    """A person who deletes the file ends the key before its time."""
    keys = FileTokenKeys(tmp_path / "keys", WorldClock())
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    await keys.rotate()
    (tmp_path / "keys" / "token-1.pem").unlink()
    again = FileTokenKeys(tmp_path / "keys", WorldClock())
    with pytest.raises(Unauthenticated):
        again.verify(old)
    # The key's remaining entry in the book does not prevent a replacement of keys.
    await again.rotate()
    await keys.rotate()
    assert await again.refresh()
    again.verify(await keys.sign(CLAIMS, token_type="at+jwt"))


async def test_a_next_key_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    """It never signed."""
    FileTokenKeys(tmp_path / "keys", WorldClock())
    (tmp_path / "keys" / "token-2.pem").unlink()
    keys = FileTokenKeys(tmp_path / "keys", WorldClock())
    assert [one.standing.value for one in keys.held()] == ["next", "current"]
    assert (tmp_path / "keys" / "token-3.pem").exists() or (tmp_path / "keys" / "token-2.pem").exists()
    await keys.rotate()


async def test_a_key_that_is_exchanged_for_another_is_refused(tmp_path: Path) -> None:
    """The book names the key, not the file."""
    FileTokenKeys(tmp_path / "keys", WorldClock())
    FileTokenKeys(tmp_path / "others", WorldClock())
    other = (tmp_path / "others" / "token-1.pem").read_bytes()
    (tmp_path / "keys" / "token-1.pem").write_bytes(other)
    with pytest.raises(KeyUnavailable, match="is not the one"):
        FileTokenKeys(tmp_path / "keys", WorldClock())


async def test_keys_without_a_book_are_taken_over(tmp_path: Path) -> None:
    """The highest number signs, the others still verify; a single sealing key without a number is the
    first.
    """
    folder = tmp_path / "keys"
    keys = FileTokenKeys(folder, WorldClock())
    await keys.rotate()
    token = await keys.sign(CLAIMS, token_type="at+jwt")
    (folder / "token.json").unlink()
    (folder / "token-3.pem").unlink()
    assert FileTokenKeys(folder, WorldClock()).verify(token)[1] == CLAIMS
    sealing = FileSealingKeys(folder, WorldEntropy(), WorldClock())
    (folder / "sealing.json").unlink()
    (folder / "sealing-1.key").rename(folder / "sealing.key")
    again = FileSealingKeys(folder, WorldEntropy("another"), WorldClock())
    assert again.sealing_key("") == sealing.sealing_key("")


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_crash_before_the_book_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """A key that no book names never signs, and its number is not used again."""
    folder = tmp_path / "keys"
    keys = FileTokenKeys(folder, WorldClock())
    before = keys.held()

    def crash(*_: object) -> None:
        raise KeyUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(shelf, "write_book", crash)
        with pytest.raises(KeyUnavailable):
            await keys.rotate(at_once=at_once)
    assert keys.held() == before
    again = FileTokenKeys(folder, WorldClock())
    assert again.held() == before
    turned = await again.rotate(at_once=at_once)
    assert again.verify(await again.sign(CLAIMS, token_type="at+jwt"))[0]["kid"] == turned.id
    assert FileTokenKeys(folder, WorldClock()).held() == again.held()


async def test_a_process_that_was_stopped_while_it_changes_keys_holds_up_nothing_but_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others sign on, do what else they have to do meanwhile, and are told after a while; then they go on."""
    monkeypatch.setattr(files_of_keys, "PATIENCE_S", 0.2)
    keys, turns = FileSealingKeys(tmp_path, WorldEntropy(), WorldClock()), 0
    before = keys.current
    with held_elsewhere(tmp_path / ".lock"):
        rotation = asyncio.create_task(keys.rotate())
        while not rotation.done():
            turns += 1
            assert keys.sealing_key(before)
            await asyncio.sleep(0.01)
        with pytest.raises(KeyUnavailable, match="another process holds") as told:
            await rotation
        assert told.value.code == "keys-held"
        assert turns > 1
        assert keys.current == before
    await keys.rotate()
    assert keys.current != before
