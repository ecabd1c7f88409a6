# SPDX-License-Identifier: Apache-2.0
"""What was seen of logs from here: their public keys, and the last head that held.

A changed key is noticed, and so is a log that was cut back or rewritten. A person who verifies from time to
time is their own witness.

    $XDG_CONFIG_HOME/remit/logs.json   {"keys": {"<address>": "<verifier>"}, "heads": {"<verifier>": {...}}}
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from remit.cli.session_file import sessions_file
from remit.core.errors import KeyUnavailable, VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey

#: The remediation if a log was replaced on purpose.
ANEW = (
    "if the log was restarted on purpose, run `remit audit verify --anew --key KEY` with the key that "
    "`remit up` prints"
)


class SeenHead(msgspec.Struct, frozen=True):
    """The last head of a log that held: its size, its root in hex, and the time (RFC 3339)."""

    size: int
    root: str
    at: str


class SeenLogs(msgspec.Struct, kw_only=True):
    """Everything that was seen."""

    keys: dict[str, str] = {}
    heads: dict[str, SeenHead] = {}


def trusted_key(base_url: str, told: str) -> VerifierKey:
    """Return the key that was seen first for the log at an address; a different one raises a fault."""
    key = VerifierKey.parse(told)
    seen = read()
    known = seen.keys.setdefault(base_url, told)
    if known != told:
        raise VerificationFailed(
            f"the log at {base_url} is signed by another key than before: `{told}`, not `{known}`",
            code="other-key",
            remediation=f"run `remit audit verify`: it follows a key change that the log records; {ANEW}",
        )
    _write(seen)
    return key


def seen_key(base_url: str) -> str:
    """Return the key that was seen first at an address; empty if there is none."""
    return read().keys.get(base_url, "")


def succeed(base_url: str, verifier: str) -> None:
    """Replace the key of the log at an address, and keep the last head seen.

    INVARIANT (the caller's): evidence that holds under the old key names this key as its successor.
    """
    seen = read()
    head = seen.heads.get(seen.keys.get(base_url, ""))
    seen.keys[base_url] = verifier
    if head is not None:
        seen.heads[verifier] = head
    _write(seen)


def take(base_url: str, verifier: str) -> str:
    """Set the key that a person has given for the log at an address; return the old key if it differs.

    INVARIANT (the caller's): the log has just held under the new key.
    """
    seen = read()
    before = seen.keys.get(base_url, "")
    if before != verifier:
        seen.keys[base_url] = verifier
        _write(seen)
    return before if before != verifier else ""


def is_known(verifier: str) -> bool:
    """Return whether a key was seen at an address before."""
    return verifier in read().keys.values()


def known_keys() -> list[VerifierKey]:
    """Return the keys that were seen at addresses before."""
    return [VerifierKey.parse(verifier) for verifier in dict.fromkeys(read().keys.values())]


def last_head(verifier: str) -> SeenHead | None:
    """Return the last head of a log that held here."""
    return read().heads.get(verifier)


def remember_head(verifier: str, head: SeenHead, *, instead: bool = False) -> None:
    """Store a head that held, unless a larger one is known; `instead`, if the log has lost that one."""
    seen = read()
    known = seen.heads.get(verifier)
    if instead or known is None or head.size >= known.size:
        seen.heads[verifier] = head
        _write(seen)


def logs_file() -> Path:
    """Return the path of the file."""
    return sessions_file().with_name("logs.json")


def read() -> SeenLogs:
    """Return everything that was seen."""
    place = logs_file()
    try:
        return msgspec.json.decode(place.read_bytes(), type=SeenLogs)
    except FileNotFoundError:
        return SeenLogs()
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise KeyUnavailable(
            f"`{place}` is damaged", remediation="restore it, or remove it and check keys by hand"
        ) from None


def _write(seen: SeenLogs) -> None:
    place = logs_file()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = place.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(seen))
    fresh.replace(place)
