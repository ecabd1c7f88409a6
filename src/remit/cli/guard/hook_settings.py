# SPDX-License-Identifier: Apache-2.0
"""The hooks in a client's settings: text is put in, and taken out again; every other byte stays.

What was put in is noted in the user's state folder, with a copy of the file. Taking it out restores the whole
file if nothing else has changed in it, else it removes exactly the inserted texts.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.wrap.backup import digest, replace_file, write_private
from remit.cli.wrap.jsonc import Span, parse, replaced
from remit.core.errors import ConfigInvalid, Forbidden, NotFound
from remit.core.hooks import claude_code
from remit.core.json_value import Json
from remit.core.user_folders import state_folder

SECRET_HEADER: Final = "X-Remit-Guard"
#: Seconds that the client waits for an answer. A person may be asked meanwhile only by the client itself.
TIMEOUT_S: Final = 30
#: Seconds that the client waits for remit to start.
START_S: Final = 60
SESSION_START: Final = "SessionStart"
_NOTES: Final = "guards"


class Inserted(msgspec.Struct, frozen=True, kw_only=True):
    """What was put into a file. `backup` is empty where the file did not exist."""

    file: str
    client: str
    managed: bool
    backup: str
    sha256_before: str
    sha256_after: str
    texts: tuple[str, ...]
    at: str


def entry(event: str, url: str, secret: str, timeout_s: int = TIMEOUT_S) -> Json:
    """Return the hook of one event, in the form of Claude Code."""
    hook: dict[str, Json] = {
        "type": "http",
        # The event in the address makes each inserted text another one, so that each can be taken out.
        "url": f"{url}?{event}",
        "headers": {SECRET_HEADER: secret},
        "timeout": timeout_s,
    }
    if event in claude_code.BLOCKING:
        # INVARIANT: a hook that fails lets nothing happen.
        hook["onFailure"] = "block"
    return {"hooks": [hook]}


def starting(words: Sequence[str]) -> Json:
    """Return the hook that starts remit before a session's first prompt."""
    return {"hooks": [{"type": "command", "command": shlex.join(words), "timeout": START_S}]}


def with_hooks(
    text: str,
    file: str,
    url: str,
    secret: str,
    timeout_s: int = TIMEOUT_S,
    *,
    start: Sequence[str] = (),
) -> tuple[str, tuple[str, ...]]:
    """Return settings with the hooks, and the inserted texts; raises `ConfigInvalid`.

    `start` is the command that starts remit; without one, a person starts it.
    """
    root = parse(text, file)
    if not isinstance(root.value, dict):
        raise ConfigInvalid("is not a mapping", file=file, remediation="correct it; nothing was changed")
    made = {name: json.dumps(entry(name, url, secret, timeout_s)) for name in claude_code.EVENTS}
    if start:
        made[SESSION_START] = json.dumps(starting(start))
    hooks = root.at(("hooks",))
    if hooks is None:
        whole = ", ".join(f"{json.dumps(name)}: [{one}]" for name, one in made.items())
        inserted = [(root, _first(root, f'"hooks": {{{whole}}}'))]
    elif not isinstance(hooks.value, dict):
        raise ConfigInvalid("is not a mapping", file=file, key="hooks", remediation="correct it first")
    else:
        inserted = []
        fresh: list[str] = []
        for name, one in made.items():
            known = hooks.at((name,))
            if known is None:
                fresh.append(f"{json.dumps(name)}: [{one}]")
            elif not isinstance(known.value, list):
                raise ConfigInvalid("is not a list", file=file, key=f"hooks.{name}", remediation="correct it")
            else:
                inserted.append((known, _first(known, one)))
        if fresh:
            inserted.append((hooks, _first(hooks, ", ".join(fresh))))
    # An insertion after the first bracket needs no look at trailing commas and comments.
    changes = [(Span(None, span.start + 1, span.start + 1), more) for span, more in inserted]
    return replaced(text, changes), tuple(more for _, more in inserted)


def _first(span: Span, text: str) -> str:
    return text + (", " if span.value else "")


def without(text: str, texts: Sequence[str]) -> tuple[str, list[str]]:
    """Return settings without inserted texts, and those that are not there as they were written."""
    left: list[str] = []
    for one in texts:
        if text.count(one) == 1:
            text = text.replace(one, "")
        else:
            left.append(one)
    return text, left


def is_whole(text: str, file: str, url: str, secret_digest: str) -> list[str]:
    """Return the events whose hook is missing or was changed."""
    root = parse(text, file)
    hooks = root.value.get("hooks") if isinstance(root.value, dict) else None
    known: dict[str, Json] = hooks if isinstance(hooks, dict) else {}
    if isinstance(root.value, dict) and root.value.get("disableAllHooks"):
        return list(claude_code.EVENTS)
    return [name for name in claude_code.EVENTS if not _has(known.get(name), name, url, secret_digest)]


def _has(groups: Json, name: str, url: str, secret_digest: str) -> bool:
    for group in groups if isinstance(groups, list) else ():
        hooks = group.get("hooks") if isinstance(group, dict) and not group.get("matcher") else None
        for hook in hooks if isinstance(hooks, list) else ():
            headers = hook.get("headers") if isinstance(hook, dict) else None
            secret = headers.get(SECRET_HEADER) if isinstance(headers, dict) else None
            if (
                isinstance(secret, str)
                and digest(secret.encode()) == secret_digest
                and {"hooks": [hook]} == entry(name, url, secret)
            ):
                return True
    return False


def current(file: Path) -> tuple[str, bool]:
    """Return the settings without remit's hooks, and whether the file is the person's own."""
    if not file.exists():
        return "{}\n", False
    text = file.read_text(encoding="utf-8")
    for done in installed():
        if done.file == str(file):
            text, _ = without(text, done.texts)
            return text, bool(done.backup) or bool(parse(text, file.name).value)
    return text, True


def put_in(
    file: Path, client: str, before: str, text: str, texts: tuple[str, ...], *, own: bool, managed: bool
) -> Inserted:
    """Write the settings, with a copy of what they were before, and a note of what was put in.

    `own` is whether the file is the person's own. Raises `Forbidden` where only an administrator may write;
    the settings then wait in the folder of notes.
    """
    backup = str(notes() / f"{_mark(file)}-{digest(before.encode())[:12]}-{file.name}") if own else ""
    if backup:
        write_private(Path(backup), before.encode("utf-8"))
    content = text.encode("utf-8")
    done = Inserted(
        file=str(file),
        client=client,
        managed=managed,
        backup=backup,
        sha256_before=digest(before.encode()),
        sha256_after=digest(content),
        texts=texts,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_private(_note(file), msgspec.json.format(msgspec.json.encode(done), indent=2))
    try:
        if file.exists():
            replace_file(file, content)
        else:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if managed else 0o700)
            write_private(file, content, new=True)
        # The secret is for the client of this user. A managed file is read by each user's client.
        file.chmod(0o644 if managed else 0o600)
    except PermissionError:
        draft = notes() / file.name
        write_private(draft, content)
        raise Forbidden(
            f"only an administrator may write `{file}`",
            code="administrator",
            remediation=f"run `sudo install -D -m 644 {draft} {file}`, then delete the draft",
        ) from None
    return done


def take_out(done: Inserted) -> list[str]:
    """Restore a file; return the inserted texts that were changed since, and are still there."""
    file = Path(done.file)
    left: list[str] = []
    if file.exists():
        content = file.read_bytes()
        try:
            if digest(content) == done.sha256_after and not done.backup:
                file.unlink()
            elif digest(content) == done.sha256_after:
                replace_file(file, Path(done.backup).read_bytes())
            else:
                text, left = without(content.decode("utf-8"), done.texts)
                replace_file(file, text.encode("utf-8"))
        except PermissionError:
            raise Forbidden(
                f"only an administrator may change `{file}`",
                code="administrator",
                remediation=f"run `sudo rm {file}`, then uninstall again",
            ) from None
    if not left:
        _note(file).unlink(missing_ok=True)
        if done.backup:
            Path(done.backup).unlink(missing_ok=True)
    return left


def installed(client: str = "") -> list[Inserted]:
    """Return what was put into files, of one client where it is named."""
    found = []
    for path in sorted(notes().glob("*.note.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Inserted))
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise ConfigInvalid(
                "is damaged", file=str(path), remediation="remove the hooks by hand"
            ) from None
    return [one for one in found if client in ("", one.client)]


def the_one(client: str) -> list[Inserted]:
    """Return what was put into files for a client; raises `NotFound` where it is under no guard."""
    found = installed(client)
    if not found:
        raise NotFound(
            f"`{client}` has no hooks of this remit", remediation=f"run `remit guard install {client}`"
        )
    return found


def notes() -> Path:
    """Return the folder of the notes; make it if necessary."""
    folder = Path(state_folder(os.environ, os.path.expanduser("~"))) / _NOTES
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _note(file: Path) -> Path:
    return notes() / f"{_mark(file)}.note.json"


def _mark(file: Path) -> str:
    return digest(str(file.resolve()).encode())[:12]
