# SPDX-License-Identifier: Apache-2.0
"""The hooks in a client's settings: text is put in, and taken out again; every other byte stays.

What was put in is noted in the user's state folder, with a copy of the file. Taking it out restores the whole
file if nothing else has changed in it, else it removes exactly the inserted texts.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from remit.cli.guard import hook_program
from remit.cli.guard.client_hooks import SECRET_HEADER, HookConnection, hooks_of, program_words
from remit.cli.wrap.backup import digest, replace_file, write_private
from remit.core.coding.calls import CODEX
from remit.core.errors import ConfigInvalid, Forbidden, NotFound
from remit.core.hooks.forms import FORMS
from remit.core.json_value import Json
from remit.core.jsonc import Span, parse, replaced
from remit.core.user_folders import state_folder

_NOTES: Final = "guards"
PROGRAM: Final = "remit_hook.py"
#: Codex's own requirements of an administrator.
REQUIREMENTS: Final = Path("/etc/codex/requirements.toml")
#: The interpreter that only an administrator changes: managed hooks must not start another.
SYSTEM_PYTHON: Final = "/usr/bin/python3"


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
    beside: tuple[str, ...] = ()


def with_hooks(
    text: str, file: str, hooks: Mapping[str, Json], root: Mapping[str, Json] | None = None
) -> tuple[str, tuple[str, ...]]:
    """Return settings with hooks by event, and the inserted texts; raises `ConfigInvalid`.

    `root` are members that the file must hold beside the hooks; one that is there stays as it is.
    """
    whole = parse(text, file)
    if not isinstance(whole.value, dict):
        raise ConfigInvalid("is not a mapping", file=file, remediation="correct it; nothing was changed")
    made = {name: json.dumps(one) for name, one in hooks.items()}
    inserted: list[tuple[Span, str]] = []
    found = whole.at(("hooks",))
    first = [
        f"{json.dumps(name)}: {json.dumps(one)}"
        for name, one in (root or {}).items()
        if name not in whole.value
    ]
    if found is None:
        listed = ", ".join(f"{json.dumps(name)}: [{one}]" for name, one in made.items())
        first.append(f'"hooks": {{{listed}}}')
    elif not isinstance(found.value, dict):
        raise ConfigInvalid("is not a mapping", file=file, key="hooks", remediation="correct it first")
    else:
        fresh: list[str] = []
        for name, one in made.items():
            known = found.at((name,))
            if known is None:
                fresh.append(f"{json.dumps(name)}: [{one}]")
            elif not isinstance(known.value, list):
                raise ConfigInvalid("is not a list", file=file, key=f"hooks.{name}", remediation="correct it")
            else:
                inserted.append((known, _first(known, one)))
        if fresh:
            inserted.append((found, _first(found, ", ".join(fresh))))
    if first:
        inserted.append((whole, _first(whole, ", ".join(first))))
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


def is_whole(
    text: str, file: str, client: str, url: str, secret_digest: str, place: str = "", wait_s: int = 0
) -> list[str]:
    """Return the events whose hook is missing or was changed.

    `place` holds the secret of hooks by a command; `wait_s` is how long a call waits for a person.
    """
    root = parse(text, file)
    hooks = root.value.get("hooks") if isinstance(root.value, dict) else None
    known: dict[str, Json] = hooks if isinstance(hooks, dict) else {}
    events = FORMS[client].events
    if isinstance(root.value, dict) and _switched_off(root.value):
        return list(events)
    by_command = FORMS[client].by_command
    secrets = [_secret_at(place, url)] if by_command else list(_secrets(known))
    for secret in dict.fromkeys(secrets):
        if digest(secret.encode()) == secret_digest:
            wanted = hooks_of(client, connection_of(url, secret, place, wait_s))
            return [name for name in events if wanted[name] not in _listed(known.get(name))]
    return list(events)


def _switched_off(settings: dict[str, Json]) -> bool:
    """Return whether settings switch off the hooks that they hold, as their clients document it."""
    config = settings.get("hooksConfig")
    named = config if isinstance(config, dict) else {}
    off = named.get("enabled") is False or "remit" in _listed(named.get("disabled"))
    return off or bool(settings.get("disableAllHooks"))


def _listed(groups: Json) -> list[Json]:
    return groups if isinstance(groups, list) else []


def _secrets(known: Mapping[str, Json]) -> Iterator[str]:
    """Yield the secrets in the headers of hooks by HTTP."""
    for groups in known.values():
        for group in _listed(groups):
            for hook in _listed(group.get("hooks")) if isinstance(group, dict) else ():
                headers = hook.get("headers") if isinstance(hook, dict) else None
                secret = headers.get(SECRET_HEADER) if isinstance(headers, dict) else None
                if isinstance(secret, str):
                    yield secret


def _secret_at(place: str, url: str) -> str:
    """Return the secret in the file of hooks by a command; empty where it leads elsewhere."""
    try:
        told = json.loads(Path(place).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(told.get("secret", "")) if isinstance(told, dict) and told.get("url") == url else ""


def connection_of(url: str, secret: str, place: str, wait_s: int = 0) -> HookConnection:
    """Return the connection of hooks whose program lies beside its file, or is this installation's."""
    program, interpreter = Path(hook_program.__file__), sys.executable
    if place and Path(place).parent != notes():
        # Managed hooks start nothing that their user can change.
        program = Path(place).with_name(PROGRAM)
        interpreter = SYSTEM_PYTHON if Path(SYSTEM_PYTHON).exists() else sys.executable
    words = program_words(interpreter, program)
    return HookConnection(url=url, secret=secret, place=place, words=words, wait_s=wait_s)


class HookFile(NamedTuple):
    """A file that is written beside the settings, and belongs to remit alone."""

    path: Path
    content: bytes
    mode: int


def beside(client: str, connection: HookConnection, *, managed: bool) -> list[HookFile]:
    """Return the files that a client's hooks need: the secret's, and what a managed installation adds."""
    if not connection.place:
        return []
    place = Path(connection.place)
    made = [HookFile(place, connection.written(), 0o644 if managed else 0o600)]
    if managed:
        program = Path(hook_program.__file__).read_bytes()
        made.append(HookFile(place.with_name(PROGRAM), program, 0o644))
        if client == CODEX and not REQUIREMENTS.exists():
            # Without it an option of the client switches all hooks off.
            made.append(HookFile(REQUIREMENTS, b"[features]\nhooks = true\n", 0o644))
    return made


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
    file: Path,
    client: str,
    before: str,
    text: str,
    texts: tuple[str, ...],
    *,
    own: bool,
    managed: bool,
    more: Sequence[HookFile] = (),
) -> Inserted:
    """Write the settings, with a copy of what they were before, and a note of what was put in.

    `own` is whether the file is the person's own; `more` are remit's files beside it, written first. Raises
    `Forbidden` where only an administrator may write; the files then wait in the folder of notes.
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
        beside=tuple(str(one.path) for one in more),
    )
    write_private(_note(file), msgspec.json.format(msgspec.json.encode(done), indent=2))
    # The secret is for the client of this user. A managed file is read by each user's client.
    files = [*more, HookFile(file, content, 0o644 if managed else 0o600)]
    try:
        for one in files:
            _write(one, managed=managed)
    except PermissionError:
        commands = []
        for one in files:
            draft = notes() / (one.path.name if one.path == file else f"draft-{one.path.name}")
            write_private(draft, one.content)
            commands.append(f"sudo install -D -m 644 {_quoted(draft)} {_quoted(one.path)}")
        raise Forbidden(
            f"only an administrator may write `{file}`",
            code="administrator",
            remediation=f"run `{' && '.join(commands)}`, then delete the draft{'s' if more else ''}",
        ) from None
    return done


def _write(one: HookFile, *, managed: bool) -> None:
    if one.path.exists():
        replace_file(one.path, one.content)
    else:
        one.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if managed else 0o700)
        write_private(one.path, one.content, new=True)
    one.path.chmod(one.mode)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def take_out(done: Inserted) -> list[str]:
    """Restore a file; return the inserted texts that were changed since, and are still there."""
    file = Path(done.file)
    left: list[str] = []
    try:
        if file.exists():
            left = _restored(file, done)
        if not left:
            for one in done.beside:
                Path(one).unlink(missing_ok=True)
    except PermissionError:
        removed = " ".join(_quoted(Path(one)) for one in (done.file, *done.beside))
        raise Forbidden(
            f"only an administrator may change `{file}`",
            code="administrator",
            remediation=f"run `sudo rm {removed}`, then uninstall again",
        ) from None
    if not left:
        _note(file).unlink(missing_ok=True)
        if done.backup:
            Path(done.backup).unlink(missing_ok=True)
    return left


def _restored(file: Path, done: Inserted) -> list[str]:
    content = file.read_bytes()
    if digest(content) == done.sha256_after and not done.backup:
        file.unlink()
    elif digest(content) == done.sha256_after:
        replace_file(file, Path(done.backup).read_bytes())
    else:
        text, left = without(content.decode("utf-8"), done.texts)
        replace_file(file, text.encode("utf-8"))
        return left
    return []


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
