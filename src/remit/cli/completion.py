# SPDX-License-Identifier: Apache-2.0
"""`remit completion`: lets a shell complete commands, verbs, options and words of closed sets."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from remit.cli.command_list import COMMANDS
from remit.cli.output import terminal
from remit.cli.parser import Switch, verb

Shell = Literal["bash", "zsh", "fish"]

app = verb("completion")


@app.default
def completion(shell: Shell, /, *, install: Switch = False) -> None:
    """Print a script that lets a shell complete `remit`: commands, verbs, options, files and closed sets.

    The script is static: a press of the key starts neither remit nor Python. Print it again after an update
    of remit. For example, `remit completion zsh --install` spares you the search for each option's name.

    Parameters
    ----------
    shell
        The shell to write the script for.
    install
        Write the script to the place where that shell looks for it, and let its startup file read it.
    """
    whole = all_commands()
    if install:
        terminal.say(
            "It takes effect in the next shell that you open: ", str(whole.install_completion(shell=shell))
        )
        return
    text = whole.generate_completion(shell=shell)
    if terminal.is_json():
        terminal.answer({"shell": shell, "script": text})
    else:
        sys.stdout.write(text)


def all_commands() -> App:
    """Return all commands below one application, which only serves to write scripts."""
    top = App(name="remit", help_flags=("--help",), version_flags=(), default_command=_everywhere)
    for command in COMMANDS:
        top.command(getattr(importlib.import_module(command.module), command.attribute), name=command.name)
    return top


def _everywhere(
    *,
    version: Switch = False,
    json: Switch = False,
    config: Path | None = None,
    as_: Annotated[str, Parameter(name="--as")] = "",
) -> None:
    """Take the options that every command accepts before its name.

    Parameters
    ----------
    version
        Show the version of remit.
    json
        Print the exact answer as JSON.
    config
        The configuration file, or its folder.
    as_
        Act as another person who is signed in here.
    """
