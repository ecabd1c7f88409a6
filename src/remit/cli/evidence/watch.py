# SPDX-License-Identifier: Apache-2.0
"""Watches a log from elsewhere (`core.evidence.monitor`), and remembers it in this user's folder.

$XDG_STATE_HOME/remit/watch/<key id>.json          what was seen of the log with this key
$XDG_STATE_HOME/remit/watch/<key id>-<note>.alarm  the two signed notes of an alarm, and its fault
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.evidence.verification import FAILED, read_policy, trusted_for
from remit.cli.output import terminal
from remit.cli.rest_client import Client, Unreachable, anonymous, connect
from remit.core.errors import (
    Busy,
    Malformed,
    NotFound,
    StoreUnavailable,
    Unauthenticated,
    VerificationFailed,
)
from remit.core.evidence.checkpoint import MAX_NOTE_BYTES, VerifierKey
from remit.core.evidence.merkle import HASH_SIZE, TILE_WIDTH
from remit.core.evidence.monitor import MonitorLimits, MonitorMemory, MonitorTurn
from remit.core.evidence.tile import ENTRIES, MAX_BUNDLE_BYTES, Tile
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.user_folders import state_folder

_READ: Final = ("tlog", "tile")
#: How often a checkpoint is read again after a gap, a second apart: longer than two heads for witnesses are.
_AGAIN: Final = 30


class WatchedLog:
    """One log: its address, the trust in it, and the file of what was seen."""

    def __init__(self, client: Client, policy: TrustPolicy, key: VerifierKey, limits: MonitorLimits) -> None:
        """Read what was seen before; raise `StoreUnavailable` if the file is damaged."""
        self._client = client
        self._policy = policy
        self._key = key
        self._limits = limits
        # By the key: two logs under one key, at two addresses, are one log with two histories.
        name = hashlib.sha256(str(key).encode()).hexdigest()[:16]
        self._folder = Path(state_folder(os.environ, os.path.expanduser("~"))) / "watch"
        self._place = self._folder / f"{name}.json"
        self.memory = self._read() or MonitorMemory(log=str(key))

    def look(
        self, now_s: Callable[[], int], *, entries: bool, pause: Callable[[float], None]
    ) -> MonitorMemory:
        """Look once; raise `VerificationFailed` for an alarm, and keep its proof.

        A prune between the reading of the checkpoint and of the events looks like a gap. A later checkpoint
        has the event that says so, so a gap is an alarm if later checkpoints have it, too.
        """
        note, left = b"", _AGAIN
        while True:
            try:
                note = self._client.raw("tlog", "checkpoint", most=MAX_NOTE_BYTES)
                self.memory = self._looked(note, now_s(), entries=entries)
            except (VerificationFailed, Malformed) as fault:
                left -= 1
                if fault.code == "gap" and left:
                    pause(1)
                    continue
                self._keep_alarm(fault, note, now_s())
                raise VerificationFailed(
                    fault.message, code=fault.code, remediation=fault.remediation
                ) from None
            self._write(self._place, msgspec.json.encode(self.memory))
            return self.memory

    def _looked(self, note: bytes, now_s: int, *, entries: bool) -> MonitorMemory:
        turn = MonitorTurn(
            self.memory, note, policy=self._policy, log=self._key, now_s=now_s, limits=self._limits
        )
        for tile in turn.tiles():
            bundle = self._tile(Tile(ENTRIES, tile.index, tile.width)) if entries else None
            turn.take(tile, self._tile(tile)[: tile.width * HASH_SIZE], bundle)
        return turn.remembered()

    def _tile(self, tile: Tile) -> bytes:
        most = MAX_BUNDLE_BYTES if tile.level == ENTRIES else TILE_WIDTH * HASH_SIZE
        try:
            return self._client.raw(*_READ, str(tile), most=most)
        except NotFound:
            raise VerificationFailed(
                f"the log signed its events, but does not serve tile `{tile}`", code="gap"
            ) from None

    def _read(self) -> MonitorMemory | None:
        try:
            return msgspec.json.decode(self._place.read_bytes(), type=MonitorMemory)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as fault:
            # Not "nothing seen": an attacker who can damage the file could make the monitor forget.
            raise StoreUnavailable(
                f"`{self._place}` cannot be read",
                remediation="restore it from a backup; delete it only to begin from the log's first event",
                debug=str(fault),
            ) from None

    def _keep_alarm(self, fault: VerificationFailed | Malformed, note: bytes, now_s: int) -> None:
        told = {
            "code": fault.code,
            "text": fault.message,
            "at": now_s,
            "seen": self.memory.note,
            "told": note.decode(errors="replace"),
        }
        # An alarm that is raised again is one file.
        name = hashlib.sha256(fault.code.encode() + note).hexdigest()[:12]
        self._write(self._place.with_name(f"{self._place.stem}-{name}.alarm"), msgspec.json.encode(told))

    def _write(self, place: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = place.with_name(f".{place.name}.{os.getpid()}")
        descriptor = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600
        )
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(place)


def watch_log(
    policy: Path,
    *,
    every_s: int,
    once: bool,
    entries: bool,
    limits: MonitorLimits,
    now_s: Callable[[], int] = lambda: int(time.time()),
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Watch until an alarm; return the exit code."""
    try:
        client = connect()
    except Unauthenticated:
        client = anonymous()  # for a log whose hashes are public
    trust = read_policy(policy)
    key = trust.logs[0].key if len(trust.logs) == 1 else trusted_for(None, "")
    watched = WatchedLog(client, trust, key, limits)
    answered = now_s()
    while True:
        try:
            size = watched.memory.size
            seen = watched.look(now_s, entries=entries, pause=pause)
            answered = now_s()
            _tell(seen, seen.size - size)
        except VerificationFailed as alarm:
            _tell_alarm(alarm, watched)
            return FAILED
        except (Unreachable, Busy, StoreUnavailable) as fault:
            if once:
                raise
            if now_s() - answered > limits.stale_s:
                _tell_alarm(
                    VerificationFailed(f"the log is withheld: {fault.message}", code="stale"), watched
                )
                return FAILED
            terminal.remark(str(fault), style="yellow")
        if once:
            return 0
        pause(every_s)


def _tell(seen: MonitorMemory, more: int) -> None:
    if terminal.is_json():
        terminal.answer({"holds": True, "log": seen.log, "size": seen.size, "new": more, "at": seen.latest})
    else:
        terminal.say(terminal.text("holds", "green"), f": {seen.size} events, {more} of them new")


def _tell_alarm(alarm: VerificationFailed, watched: WatchedLog) -> None:
    seen = watched.memory
    if terminal.is_json():
        terminal.answer(
            {"holds": False, "log": seen.log, "size": seen.size, "code": alarm.code, "text": alarm.message}
        )
    else:
        terminal.say(terminal.text("ALARM", "bold red"), f": {alarm.code}")
        terminal.say(f"  {alarm.message}; {alarm.remediation}" if alarm.remediation else f"  {alarm.message}")
