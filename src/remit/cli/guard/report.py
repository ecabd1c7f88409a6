# SPDX-License-Identifier: Apache-2.0
"""The state of the guard: hooks, version, what holds and what does not, and the last sign of life."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from remit.cli.guard import clients, hook_settings
from remit.cli.output import terminal
from remit.config import load_config
from remit.config.settings import GuardSection
from remit.core.coding.calls import CODEX
from remit.core.errors import ConfigInvalid, NotFound, RemitError
from remit.core.hooks.forms import ALIASES, FORMS
from remit.core.json_value import Json

MODES: Final = {
    "observe": "a refusal is recorded, and nothing else",
    "ask": "a refusal is put to the person by the client",
    "enforce": "a refused call does not happen",
}


def guards_of(config: Path, client: str = "") -> list[dict[str, Json]]:
    """Return the state of each guard, or of one; raises `NotFound` where there is none."""
    client = ALIASES.get(client, client)
    sections = _sections(config)
    if client and client not in sections:
        raise NotFound(f"`{client}` is not under guard", remediation=f"run `remit guard install {client}`")
    url = load_config(config).listen.url if sections else ""
    seen = _seen()
    found = []
    for name, section in sections.items():
        if client in ("", name):
            one: dict[str, Json] = {"client": name, "mode": section.mode, "person": section.person}
            one |= _hooks(name, f"{url}/hooks/{name}", section) | _version(name)
            one["running"] = seen is not None
            one["last"] = (seen or {}).get(name, {}).get("last")
            one["sessions"] = (seen or {}).get(name, {}).get("sessions", 0)
            one["answers"] = (seen or {}).get(name, {}).get("answers", {})
            one["fault"] = (seen or {}).get(name, {}).get("fault", "")
            one["not_enforced"] = list(not_enforced(one))
            found.append(one)
    return found


def _sections(config: Path) -> dict[str, GuardSection]:
    try:
        return load_config(config).guards if config.is_file() else {}
    except ConfigInvalid as fault:
        if fault.key != "upstreams":
            raise
        return {}  # a folder in which nothing is governed yet, or any longer


def _hooks(name: str, url: str, section: GuardSection) -> dict[str, Json]:
    """Return where the hooks are, which are missing, and whether they are managed."""
    settings = clients.client(name)
    known: dict[str, Json] = {}
    for managed, file, place in (
        (True, settings.managed, settings.managed_place),
        (False, settings.user, settings.place),
    ):
        try:
            text = file.read_text(encoding="utf-8")
        except OSError:
            continue
        try:
            missing = hook_settings.is_whole(
                text, file.name, name, url, section.secret_sha256, str(place or ""), section.wait_s
            )
        except ConfigInvalid as fault:
            missing = [f"unreadable: {fault.message}"]
        state: dict[str, Json] = {"file": str(file), "missing": list(missing), "managed": managed}
        if not missing:
            return state
        if not known or len(missing) < len(known.get("missing") or ()):
            known = state
    return known or {"file": str(settings.user), "missing": ["all"], "managed": False}


def _version(name: str) -> dict[str, Json]:
    found = clients.client(name)
    version = clients.version_of(found)
    return {"version": version, "tested_with": found.tested}


def _seen() -> dict[str, dict[str, Json]] | None:
    """Return what a remit that runs has seen of each client; None where none answers this person."""
    from remit.cli.rest_client import connect

    try:
        return {str(one["name"]): one for one in connect().get("guards")["items"]}
    except RemitError:
        return None


def told(found: list[dict[str, Json]]) -> None:
    """Print it."""
    if not found:
        terminal.say(
            f"No client is under guard. `remit guard install CLIENT` puts one under it: {', '.join(FORMS)}."
        )
        return
    for one in found:
        terminal.picture(terminal.facts(_rows(one)))
        for line in one["not_enforced"]:
            terminal.say(line, style="yellow")


def _rows(one: dict[str, Json]) -> list[tuple[str, object]]:
    missing = one["missing"]
    hooks = str(one["file"]) if not missing else f"MISSING OR CHANGED in {one['file']}: {', '.join(missing)}"
    life: object = "unknown: no remit that runs answers you here (`remit up`, `remit login`)"
    if one["running"]:
        answers = ", ".join(f"{count} {answer}" for answer, count in sorted(one["answers"].items())) or "none"
        last = terminal.moment(one["last"]) if one["last"] else "none since remit started"
        life = (
            terminal.text("").append(last).append(f"; open sessions: {one['sessions']}; answers: {answers}")
        )
    rows: list[tuple[str, object]] = [
        ("client", f"{one['client']} {one['version'] or '(not on the PATH)'}"),
        ("hooks", hooks),
        ("mode", f"{one['mode']}: {MODES[str(one['mode'])]}"),
        ("whose words", str(one["person"])),
        ("sign of life", life),
    ]
    return [*rows, ("last fault", one["fault"])] if one["fault"] else rows


def not_enforced(one: dict[str, Json]) -> list[str]:
    """Return what does not hold, each as one line."""
    lines = []
    if one["missing"]:
        lines.append(f"NOT GUARDED: run `remit guard install {one['client']}`.")
    elif not one["managed"]:
        lines.append(
            "NOT ENFORCED against the client's own user: the settings can be edited while no session is "
            "open, or by a program that an agent was allowed to run. `--managed` prevents that."
        )
    if one["mode"] != "enforce":
        lines.append(f"NOT ENFORCED in mode `{one['mode']}`: {MODES[str(one['mode'])]}.")
    client = str(one["client"])
    if one["tested_with"] and one["version"] and one["version"] != one["tested_with"]:
        lines.append(
            f"NOT TESTED with {client} {one['version']}, only with {one['tested_with']}: "
            f"`remit doctor --attack {client}` shows what holds."
        )
    if one["managed"] and client == CODEX and not _requires_hooks():
        lines.append(
            f"NOT ENFORCED: `codex --disable hooks` switches the hooks off. Add `hooks = true` below "
            f"`[features]` in {hook_settings.REQUIREMENTS}."
        )
    return [*lines, *(f"NOT ENFORCED: {said}" for said in FORMS[client].open_to)]


def _requires_hooks() -> bool:
    """Return whether an administrator's requirements keep Codex's hooks on."""
    try:
        told = tomllib.loads(hook_settings.REQUIREMENTS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    features = told.get("features")
    return isinstance(features, dict) and features.get("hooks") is True


def whose_words(client: str) -> str:
    """Return by what a client's prompts are taken for the person's."""
    if not FORMS[client].by_command:
        return "where the client and its transcript say that a person typed"
    return "where the client has a terminal and no call was under way when the prompt came"
