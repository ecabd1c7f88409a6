# SPDX-License-Identifier: Apache-2.0
"""The sessions of this machine's user, in one file that only its owner can read, by address and name.

    $XDG_CONFIG_HOME/remit/sessions.json
    {"http://127.0.0.1:8700": {"current": "ana", "people": {"ana": {...}}}}

Several people may be signed in at once, which tests and demonstrations need; `--as NAME` chooses. Sessions
are bound to the key beside them (`keys/terminal.key.json`): a person who can read both can use them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from remit.cli.global_options import current
from remit.cli.private_files import hold, read_private
from remit.core.errors import KeyUnavailable, Unauthenticated
from remit.core.user_folders import config_folder

if TYPE_CHECKING:
    from remit_sdk.key import AgentKey


class StoredSession(msgspec.Struct, frozen=True):
    """A person's session at one address; `expires` is RFC 3339.

    `proven_at` is remit's own address, which proofs of the terminal's key name; empty for a session without
    proofs.
    """

    person: str
    secret: str
    expires: str
    proven_at: str = ""


class SignedIn(msgspec.Struct, kw_only=True):
    """All people who are signed in at one address; `current` is the default.

    `served_by` is the user id of this machine that a person named as the server's.
    """

    current: str = ""
    served_by: int | None = None
    people: dict[str, StoredSession] = {}


def sessions_file() -> Path:
    """Return the path of the file."""
    return Path(config_folder(os.environ, os.path.expanduser("~"))) / "sessions.json"


def session_for(base_url: str) -> StoredSession:
    """Return the session to present at an address; raises `Unauthenticated` if there is none."""
    given = os.environ.get("REMIT_SESSION", "")
    wanted = current().profile
    if given and not wanted:
        return StoredSession("", given, "")
    here = _read().get(base_url, SignedIn())
    name = wanted or here.current
    found = here.people.get(name)
    if found is not None:
        return found
    others = ", ".join(f"`--as {one}`" for one in sorted(here.people))
    who = f"`{wanted}` is" if wanted else "you are"
    raise Unauthenticated(
        f"{who} not signed in at {base_url}",
        code="no-session",
        remediation="run `remit login`" + (f", or act as another: {others}" if others else ""),
    )


def terminal_key(*, make: bool = False) -> AgentKey:
    """Return the key that this user's sessions are bound to; raises `KeyUnusable` if there is none."""
    from remit_sdk.errors import KeyTaken
    from remit_sdk.key import AgentKey

    place = sessions_file().parent / "keys" / "terminal.key.json"
    if make and not place.exists():
        # Another process may have made it since then: that key stays.
        with contextlib.suppress(KeyTaken):
            AgentKey.generate().save(place)
    return AgentKey.load(place)


def served_by(base_url: str) -> int | None:
    """Return the user id that a person named as the server's at an address of this machine."""
    return _read().get(base_url, SignedIn()).served_by


def remember(
    base_url: str, session: StoredSession, *, profile: str = "", served_by: int | None = None
) -> str:
    """Store a session under its person's name, or under `profile`; return that name."""
    name = profile or session.person
    with _changing() as everywhere:
        here = everywhere.setdefault(base_url, SignedIn())
        here.people[name] = session
        here.served_by = served_by if served_by is not None else here.served_by
        # A named profile does not become the default.
        if not profile or here.current not in here.people:
            here.current = name
    return name


def forget(base_url: str) -> str:
    """Delete the session that is in use; return the name that it was stored under."""
    with _changing() as everywhere:
        here = everywhere.get(base_url, SignedIn())
        name = current().profile or here.current
        here.people.pop(name, None)
        if here.current == name:
            here.current = next(iter(here.people), "")
        if not here.people:
            everywhere.pop(base_url, None)
    return name


def current_profile(base_url: str) -> str:
    """Return the name of the session that commands use without `--as`; empty if there is none."""
    return _read().get(base_url, SignedIn()).current


def _read() -> dict[str, SignedIn]:
    place = sessions_file()
    try:
        content = read_private(place)
    except FileNotFoundError:
        return {}
    try:
        return msgspec.json.decode(content, type=dict[str, SignedIn])
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise KeyUnavailable(f"`{place}` is damaged", remediation="remove it and sign in again") from None


@contextlib.contextmanager
def _changing() -> Iterator[dict[str, SignedIn]]:
    """Let one process at a time change the file; the file is replaced as a whole."""
    place = sessions_file()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        hold(lock)
        everywhere = _read()
        yield everywhere
        fresh = place.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(msgspec.json.encode(everywhere))
        fresh.replace(place)
    finally:
        os.close(lock)
