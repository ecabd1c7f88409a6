# SPDX-License-Identifier: Apache-2.0
"""How each client is driven on the stage: its command line, its settings for the scripted model, its tools.

The scripts name the tools of Claude Code; a rig puts them in the words of its client.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from remit.core.coding.calls import CLAUDE_CODE, CODEX, COPILOT, GEMINI
from remit.core.errors import NotFound

#: The tools that Claude Code's own rules permit, so that only the hooks stand in the way.
_ALLOWED: Final = "Bash,Read,Write,Edit,Agent,Task"

#: A call: the tool's name and its arguments.
RigCall = tuple[str, Mapping[str, object]]


class ClientRig(NamedTuple):
    """A client on the stage.

    `prepare` writes what the client needs in its home to reach a model; `words` is its command line, given
    the program and the prompt; `env` are its variables, given the model's address; `call` translates a call.
    """

    prepare: Callable[[Path, str], None]
    words: Callable[[str, str], list[str]]
    env: Callable[[str], dict[str, str]]
    call: Callable[[str, Mapping[str, object]], RigCall]


def rig_of(client: str) -> ClientRig:
    """Return a client's rig; raises `NotFound` for one that cannot be driven."""
    found = _RIGS.get(client)
    if found is None:
        raise NotFound(
            f"`{client}` cannot be driven with a scripted model, so that nothing can be shown of it",
            remediation=f"the clients that can are: {', '.join(_RIGS)}",
        )
    return found


def _nothing(home: Path, url: str) -> None:
    """Claude Code needs no file."""


def _written(given: Mapping[str, object]) -> str:
    """Return a shell command that writes a file."""
    path, content = shlex.quote(str(given["file_path"])), shlex.quote(str(given["content"]))
    return f"printf '%s' {content} > {path}"


# Claude Code.


def _claude_words(program: str, prompt: str) -> list[str]:
    return [program, "-p", prompt, "--allowedTools", _ALLOWED]


def _claude_env(url: str) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "scripted",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # Without it the client refuses some options to root, which a namespace makes of its user.
        "IS_SANDBOX": "1",
    }


def _claude_call(name: str, given: Mapping[str, object]) -> RigCall:
    return name, given


# Codex.


def _codex_prepare(home: Path, url: str) -> None:
    provider = f'name = "scripted"\nbase_url = "{url}/v1"\nwire_api = "responses"\nenv_key = "SCRIPTED_KEY"\n'
    text = f'model = "scripted"\nmodel_provider = "scripted"\n[model_providers.scripted]\n{provider}'
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "config.toml").write_text(text, encoding="utf-8")


def _codex_words(program: str, prompt: str) -> list[str]:
    # A person would trust the hooks of the settings once; managed hooks need no trust.
    options = ["--skip-git-repo-check", "--dangerously-bypass-hook-trust", "-s", "danger-full-access"]
    return [program, "exec", *options, prompt]


def _codex_env(url: str) -> dict[str, str]:
    return {"SCRIPTED_KEY": "scripted"}


def _codex_call(name: str, given: Mapping[str, object]) -> RigCall:
    if name == "Agent":
        return "spawn_agent", {"message": given["prompt"]}
    command = _written(given) if name == "Write" else given["command"]
    more = {"yield_time_ms": 250} if given.get("run_in_background") else {"yield_time_ms": 20_000}
    return "exec_command", {"cmd": command, **more}


# Copilot.


def _copilot_words(program: str, prompt: str) -> list[str]:
    return [program, "-p", prompt, "--allow-all-tools", "--allow-all-paths", "--allow-all-urls"]


def _copilot_env(url: str) -> dict[str, str]:
    return {
        "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
        "COPILOT_PROVIDER_API_KEY": "scripted",
        "COPILOT_MODEL": "gpt-4.1",
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
    }


def _copilot_call(name: str, given: Mapping[str, object]) -> RigCall:
    if name == "Agent":
        return "task", {
            "name": "looker", "agent_type": "general-purpose", "description": "look",
            "prompt": given["prompt"], "mode": "sync",
        }  # fmt: skip
    if name == "Write":
        return "create", {"path": given["file_path"], "file_text": given["content"]}
    mode = "async" if given.get("run_in_background") else "sync"
    return "bash", {"command": given["command"], "description": "run it", "mode": mode}


# Gemini.


def _gemini_prepare(home: Path, url: str) -> None:
    file = home / ".gemini" / "settings.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    # Hooks that are there already must stay: their text is compared.
    if "security" not in known:
        text = file.read_text(encoding="utf-8") if file.exists() else "{}"
        auth = json.dumps({"auth": {"selectedType": "gemini-api-key"}})
        comma = ", " if known else ""
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("{", f'{{"security": {auth}{comma}', 1), encoding="utf-8")


def _gemini_words(program: str, prompt: str) -> list[str]:
    return [program, "--yolo", "--skip-trust", "-m", "gemini-2.5-flash", "-p", prompt]


def _gemini_env(url: str) -> dict[str, str]:
    return {
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_API_KEY": "scripted",
        "GEMINI_TELEMETRY_ENABLED": "false",
    }


def _gemini_call(name: str, given: Mapping[str, object]) -> RigCall:
    if name == "Agent":
        return "invoke_agent", {"agent_name": "generalist", "prompt": given["prompt"]}
    if name == "Write":
        return "write_file", {"file_path": given["file_path"], "content": given["content"]}
    more: dict[str, object] = {"is_background": True} if given.get("run_in_background") else {}
    return "run_shell_command", {"command": given["command"], **more}


_RIGS: Final[Mapping[str, ClientRig]] = {
    CLAUDE_CODE: ClientRig(_nothing, _claude_words, _claude_env, _claude_call),
    CODEX: ClientRig(_codex_prepare, _codex_words, _codex_env, _codex_call),
    COPILOT: ClientRig(_nothing, _copilot_words, _copilot_env, _copilot_call),
    GEMINI: ClientRig(_gemini_prepare, _gemini_words, _gemini_env, _gemini_call),
}


def translated(rig: ClientRig, turns: Sequence[Sequence[RigCall]]) -> list[list[RigCall]]:
    """Return turns in the words of a client."""
    return [[rig.call(name, given) for name, given in turn] for turn in turns]
