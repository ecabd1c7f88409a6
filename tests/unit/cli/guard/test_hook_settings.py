# SPDX-License-Identifier: Apache-2.0
"""Hooks go into a client's settings and come out again; everything else stays as it was."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from remit.cli.guard import hook_settings
from remit.cli.guard.client_hooks import HookConnection, hooks_of
from remit.cli.wrap.backup import digest
from remit.core.errors import ConfigInvalid, Forbidden, NotFound
from remit.core.hooks import claude_code
from remit.core.jsonc import parse

URL = "http://127.0.0.1:8700/hooks/claude-code"
SECRET = "s" * 64
HOOKS = hooks_of("claude-code", HookConnection(url=URL, secret=SECRET))
DIGEST = digest(SECRET.encode())
OWN = """{
  // my own settings
  "model": "opus", /* keep */
  "hooks": {
    "PreToolUse": [
      {"matcher": "Bash", "hooks": [{"type": "command", "command": "true"}]}, // mine
    ],
    "Stop": [],
  },
}
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def put_in(file: Path, before: str) -> hook_settings.Inserted:
    """Install the hooks."""
    known, own = hook_settings.current(file)
    assert known == before
    text, texts = hook_settings.with_hooks(before, file.name, HOOKS)
    return hook_settings.put_in(file, "claude-code", before, text, texts, own=own, managed=False)


@pytest.mark.parametrize("before", ["{}", OWN, '{"hooks": {}}', '{"a": 1}', '{"hooks": {"PreToolUse": []}}'])
def test_every_event_has_its_hook_and_nothing_else_is_changed(before: str) -> None:
    """The hooks are whole, the other values are as before, and comments stay."""
    text, texts = hook_settings.with_hooks(before, "settings.json", HOOKS)
    assert hook_settings.is_whole(text, "settings.json", "claude-code", URL, DIGEST) == []
    for comment in ("// my own settings", "/* keep */", "// mine"):
        assert (comment in text) == (comment in before)
    assert hook_settings.without(text, texts) == (before, [])


def test_a_failed_hook_blocks_wherever_the_client_can_be_blocked() -> None:
    """Each blocking event says so; an end cannot be blocked."""
    text, _ = hook_settings.with_hooks("{}", "settings.json", HOOKS)
    hooks = json.loads(text)["hooks"]
    assert set(hooks) == set(claude_code.EVENTS)
    for name in ("PreToolUse", "UserPromptSubmit", "ConfigChange", "PostToolUse"):
        assert hooks[name][0]["hooks"][0]["onFailure"] == "block"
        assert "matcher" not in hooks[name][0]


def test_the_client_starts_remit_when_a_session_begins() -> None:
    """The command is quoted for a shell, and comes out again with the rest."""
    words = ["/opt/my tools/remit", "guard", "start", "--config", "/home/mia/remit.yaml"]
    text, texts = hook_settings.with_hooks(
        OWN, "settings.json", hooks_of("claude-code", HookConnection(url=URL, secret=SECRET), words)
    )
    root = parse(text, "f").value
    assert isinstance(root, dict)
    command = root["hooks"]["SessionStart"][0]["hooks"][0]["command"]
    assert shlex.split(command) == words
    assert hook_settings.without(text, texts) == (OWN, [])


def test_undoing_restores_the_file_byte_for_byte(tmp_path: Path) -> None:
    """Without later edits the old file is back; one that did not exist is gone."""
    file = tmp_path / "settings.json"
    file.write_text(OWN, encoding="utf-8")
    done = put_in(file, OWN)
    assert file.stat().st_mode & 0o777 == 0o600
    assert hook_settings.the_one("claude-code") == [done]
    assert hook_settings.take_out(done) == []
    assert file.read_text(encoding="utf-8") == OWN
    new = tmp_path / "other" / "settings.json"
    assert hook_settings.take_out(put_in(new, "{}\n")) == []
    assert not new.exists()
    with pytest.raises(NotFound):
        hook_settings.the_one("claude-code")


def test_installing_again_replaces_the_hooks_and_keeps_the_first_backup(tmp_path: Path) -> None:
    """After two installations and an edit between, undoing leaves the person's own file."""
    file = tmp_path / "settings.json"
    file.write_text(OWN, encoding="utf-8")
    put_in(file, OWN)
    edited = OWN.replace('"opus"', '"haiku"')
    file.write_text(file.read_text(encoding="utf-8").replace('"opus"', '"haiku"'), encoding="utf-8")
    done = put_in(file, edited)
    assert file.read_text(encoding="utf-8").count(URL) == len(claude_code.EVENTS)
    assert hook_settings.take_out(done) == []
    assert file.read_text(encoding="utf-8") == edited
    new = tmp_path / "new.json"
    put_in(new, "{}\n")
    assert hook_settings.take_out(put_in(new, "{}\n")) == []
    assert not new.exists()


def test_settings_of_an_administrator_wait_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to write, the refusal names the one command, and the draft is private."""
    file = tmp_path / "50-remit.json"
    file.write_text("{}", encoding="utf-8")

    def forbidden(path: Path, content: bytes) -> None:
        raise PermissionError

    monkeypatch.setattr(hook_settings, "replace_file", forbidden)
    with pytest.raises(Forbidden) as refused:
        put_in(file, "{}")
    draft = hook_settings.notes() / file.name
    assert refused.value.code == "administrator"
    assert f"sudo install -D -m 644 {draft} {file}" in refused.value.remediation
    assert draft.stat().st_mode & 0o077 == 0
    assert hook_settings.is_whole(draft.read_text(), "f", "claude-code", URL, DIGEST) == []
    with pytest.raises(Forbidden):
        hook_settings.take_out(hook_settings.the_one("claude-code")[0])


def test_undoing_keeps_what_was_edited_since(tmp_path: Path) -> None:
    """A later edit stays; a hook that was itself changed is named, and left."""
    file = tmp_path / "settings.json"
    file.write_text(OWN, encoding="utf-8")
    done = put_in(file, OWN)
    edited = file.read_text(encoding="utf-8").replace('"opus"', '"haiku"')
    file.write_text(edited, encoding="utf-8")
    assert hook_settings.take_out(done) == []
    assert file.read_text(encoding="utf-8") == OWN.replace('"opus"', '"haiku"')
    done = put_in(file, file.read_text(encoding="utf-8"))
    file.write_text(
        file.read_text(encoding="utf-8").replace('"timeout": 30', '"timeout": 31'), encoding="utf-8"
    )
    assert len(hook_settings.take_out(done)) == len(done.texts)
    assert hook_settings.installed("claude-code") == [done]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"onFailure": "block"', '"onFailure": "continue"'),
        ('"timeout": 30', '"timeout": 0.001'),
        ("8700", "8701"),
        ('{"hooks": [{"type"', '{"matcher": "Read", "hooks": [{"type"'),
        ("{", '{"disableAllHooks": true, '),
    ],
)
def test_a_weakened_hook_counts_as_missing(before: str, after: str) -> None:
    """Not blocking, too short a time, another address, one tool alone, all switched off."""
    text, _ = hook_settings.with_hooks("{}", "settings.json", HOOKS)
    assert hook_settings.is_whole(text.replace(before, after, 1), "f", "claude-code", URL, DIGEST)


@pytest.mark.parametrize(
    "broken", ["[]", '{"hooks": []}', '{"hooks": {"Stop": {}}}', "{", '{"a": 1, "a": 2}']
)
def test_settings_of_another_form_are_refused(broken: str) -> None:
    """Nothing is guessed about a file that the client itself could not use."""
    with pytest.raises(ConfigInvalid):
        hook_settings.with_hooks(broken, "settings.json", HOOKS)


def test_texts_with_brackets_do_not_confuse_it() -> None:
    """Values that look like structure are values."""
    before = '{"a": "{[", "hooks": {"Stop": [ {"hooks": []} ]}}'
    text, _ = hook_settings.with_hooks(before, "settings.json", HOOKS)
    value = parse(text, "f").value
    assert isinstance(value, dict)
    assert value["a"] == "{["
