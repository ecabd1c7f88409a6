# SPDX-License-Identifier: Apache-2.0
"""`remit completion`: what makes a shell complete commands, verbs, options, and words of closed sets."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_type_hints

from cyclopts import App, Parameter

from remit.cli.command_list import COMMANDS
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Switch, usage_of, verb
from remit.core.json_value import Json

Shell = Literal["bash", "zsh", "fish"]

SHELLS: Final[tuple[Shell, ...]] = get_args(Shell)

app = verb("completion")


@app.default
def completion(shell: Shell | None = None, /, *, install: Switch = False) -> None:
    """Print the script by which a shell completes `remit`: commands, verbs, options, files, and closed sets.

    The script knows all of that by itself: neither remit nor Python is started when you press the key. Print
    it again after an update of remit.

    Parameters
    ----------
    shell
        Of which shell (default: yours, by $SHELL).
    install
        Write it where that shell looks for such scripts, instead. Nothing else is changed.
    """
    wanted = shell or _yours()
    text = script(wanted)
    if not install:
        if terminal.is_json():
            terminal.answer({"shell": wanted, "script": text})
        else:
            sys.stdout.write(text)
        return
    place = place_of(wanted)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    file, lines = _still(wanted, place)
    if terminal.is_json():
        terminal.answer({"shell": wanted, "written": str(place), "file": str(file), "lines": lines})
        return
    terminal.copyable("Wrote ", terminal.text(str(place), "bold"))
    if lines:
        terminal.say(_WHY[wanted].format(file=file))
        for line in lines:
            terminal.copyable(f"  {line}")
    terminal.say("It counts in the next shell that you open.", style="dim")


def _yours() -> Shell:
    name = Path(os.environ.get("SHELL", "")).name
    for one in SHELLS:
        if name == one:
            return one
    raise UsageFault(
        f"there is no completion for your shell, `{name[:40]}`"
        if name
        else "$SHELL does not name your shell",
        remediation="name one: `remit completion bash`, `zsh` or `fish`",
    )


def place_of(shell: Shell) -> Path:
    """Return where a shell looks for the completions of a user."""
    home, where = Path.home(), os.environ.get
    if shell == "zsh":
        return Path(where("ZDOTDIR") or home) / ".zfunc" / "_remit"
    if shell == "fish":
        return Path(where("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "remit.fish"
    data = Path(where("XDG_DATA_HOME") or home / ".local" / "share")
    return Path(where("BASH_COMPLETION_USER_DIR") or data / "bash-completion") / "completions" / "remit"


_WHY: Final = {
    "bash": "Where the package bash-completion is not there, add to {file}:",
    "zsh": "Unless {file} has the like, add to it:",
    "fish": "",
}


def _still(shell: Shell, place: Path) -> tuple[Path, list[str]]:
    """Return what a person may have to add, and to which file."""
    if shell == "bash":
        return Path.home() / ".bashrc", [f"source '{place}'"]
    if shell == "zsh":
        lines = [f"fpath=('{place.parent}' $fpath)", "autoload -Uz compinit && compinit"]
        return Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc", lines
    return place, []


# The script.


#: zsh runs a file that it has loaded by its name, and what the parser writes only defines a function. The
#: same file can be read by `source`, too.
_ZSH_END: Final = """
if [[ ${funcstack[1]} == _remit ]]; then
  _cyclopts_remit "$@"
else
  compdef _cyclopts_remit remit
fi
"""


def script(shell: Shell) -> str:
    """Return the script of one shell, of all commands that there are."""
    text = _all().generate_completion(prog_name="remit", shell=shell).rstrip("\n") + "\n"
    return text + _ZSH_END if shell == "zsh" else text


def _all() -> App:
    """Put all commands below one, as the parser sees them; nothing is ever run by it."""
    top = App(name="remit", help_flags=("--help",), version_flags=())
    top.default(_with_everywhere(_nothing))
    for command in COMMANDS:
        one: App = getattr(importlib.import_module(command.module), command.attribute)
        top.command(_below(one, command.name, usage_of(command.name)), name=command.name)
    return top


def _nothing(*, version: Switch = False) -> None:
    """Show the front page.

    Parameters
    ----------
    version
        Which remit this is.
    """


def _below(one: App, name: str, usage: str) -> App:
    made = App(
        name=name, help=one.help, usage=usage, version_flags=(), default_parameter=one.default_parameter
    )
    if one.default_command is not None:
        made.default(_with_everywhere(one.default_command))
    for word in one:
        if not word.startswith("-"):
            made.command(_with_everywhere(one[word].default_command), name=word)
    return made


def _everywhere(
    *,
    json: Switch = False,
    config: Path | None = None,
    as_: Annotated[str, Parameter(name="--as")] = "",
) -> None:
    """Take what may stand in every command.

    Parameters
    ----------
    json
        The exact answer as JSON.
    config
        The configuration, or its folder.
    as_
        Act as another person who is signed in here.
    """


def _with_everywhere(command: Callable[..., Json] | None) -> Callable[..., None]:
    """Return a stand-in that takes what a command takes, and what every command takes."""
    assert command is not None

    def stand_in(*_: Json, **__: Json) -> None:
        """Do nothing."""

    parts: dict[str, inspect.Parameter] = {}
    hints: dict[str, Json] = {}
    for function in (command, _everywhere):
        known = get_type_hints(function, include_extras=True)
        for name, part in inspect.signature(function).parameters.items():
            parts[name] = part.replace(annotation=known[name])
            hints[name] = known[name]
    stand_in.__signature__ = inspect.Signature(list(parts.values()))  # type: ignore[attr-defined]
    stand_in.__annotations__ = hints
    stand_in.__doc__ = _documented(command)
    return stand_in


def _documented(command: Callable[..., Json]) -> str:
    """Return what a command says of itself, with what the options of every command are."""
    says, more = inspect.getdoc(command) or "", inspect.getdoc(_everywhere) or ""
    head = "\n\nParameters\n----------\n"
    _, _, shared = more.partition(head)
    return says.rstrip() + ("\n" if head in says else head) + shared
