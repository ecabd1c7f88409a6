# SPDX-License-Identifier: Apache-2.0
"""The command `remit`: the front page, the choice of the command, and the conversion of faults to exit
codes.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NoReturn

import remit
from remit.cli.command_list import BY_NAME, COMMANDS, EVERYWHERE, EXIT_CODES, Command
from remit.cli.global_options import CLOSING, CURRENT, Invocation
from remit.cli.tasks import session_shim

#: Outside the documented codes: a defect of remit itself (EX_SOFTWARE of sysexits.h), so that no script
#: mistakes it for a refusal.
DEFECT = 70
INTERRUPTED = 130
_FLAGS = {"--json"}
_VALUES = {"--config", "--as"}


def main() -> NoReturn:
    """Run the command line of this process."""
    # Imports make objects by the ten thousand and no garbage, which would be looked for again and again.
    gc.set_threshold(50_000, 20, 20)
    # A client starts one shim for each server: a shim loads nothing that the session's relay has.
    shim = session_shim.requested(sys.argv[1:])
    sys.exit(session_shim.run(shim) if shim is not None else run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; every fault becomes one line and a code."""
    from remit.cli.exit_codes import UsageFault, exit_code, told

    invocation = Invocation(json="--json" in argv)
    token = CURRENT.set(invocation)
    try:
        invocation, rest = split(argv)
        CURRENT.set(invocation)
        with ExitStack() as closing:
            CLOSING.set(closing)
            return _command(rest)
    except UsageFault as fault:
        return told(fault, 2)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has closed it (`| head`) and does not want the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:  # noqa: BLE001 - the edge: no traceback ever, unless it is asked for
        if os.environ.get("REMIT_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        return told(fault, exit_code(fault, DEFECT))
    finally:
        CURRENT.reset(token)


def split(argv: Sequence[str]) -> tuple[Invocation, list[str]]:
    """Extract the options that are permitted anywhere before `--`; the rest belongs to the command."""
    from remit.cli.exit_codes import UsageFault

    given: dict[str, str] = {}
    rest: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            rest += [word, *words]
            break
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            given[word] = "yes"
        elif name in _VALUES:
            if not equals and (not words or words[0].startswith("--")):
                raise UsageFault(f"`{name}` needs a value", remediation=f"write `{name} VALUE`")
            given[name] = value if equals else words.pop(0)
        else:
            rest.append(word)
    invocation = Invocation(
        json="--json" in given, config=given.get("--config", ""), profile=given.get("--as", "")
    )
    return invocation, rest


def available(command: Command) -> bool:
    """Return whether a command's module is installed."""
    return importlib.util.find_spec(command.module) is not None


def _command(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        if len(words) < 2 or words[1] not in BY_NAME:
            sys.stdout.write(front_page())
            return 0
        words = [words[1], "--help"]
    if words[0] in ("-V", "--version", "version"):
        sys.stdout.write(f"remit {remit.__version__}\n")
        return 0
    command = BY_NAME.get(words[0])
    if command is None or not available(command):
        from remit.cli.exit_codes import unknown

        raise unknown(words[0], list(BY_NAME))
    return _dispatch(command, words[1:])


def _dispatch(command: Command, words: list[str]) -> int:
    from cyclopts import CycloptsError

    from remit.cli.exit_codes import usage

    app = getattr(importlib.import_module(command.module), command.attribute)
    try:
        result = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as fault:
        raise usage(fault, command.name) from None
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def front_page() -> str:
    """Return the output of `remit` without a command."""
    bold, dim, plain = ("\033[1m", "\033[2m", "\033[0m") if _colour() else ("", "", "")
    what = f"remit {remit.__version__}: {remit.__doc__.strip() if remit.__doc__ else ''}"
    lines = [f"{bold}remit{plain}{_broken(what).removeprefix('remit')}", ""]
    part = ""
    for command in COMMANDS:
        if not available(command):
            continue
        if command.part != part:
            part = command.part
            lines += ["", f"{bold}{part}{plain}"] if lines[-1] else [f"{bold}{part}{plain}"]
        lines.append(f"  {f'{command.name} {command.usage}'.rstrip():<20} {dim}{command.summary}{plain}")
    lines += ["", f"{bold}Everywhere{plain}"]
    lines += [f"  {name:<20} {dim}{_broken(says, 23)}{plain}" for name, says in EVERYWHERE]
    codes = ", ".join(f"{code} {says}" for code, says in EXIT_CODES)
    lines += ["", _broken(f"Exit codes: {codes}"), "New here? `remit init`, then `remit up`.", ""]
    return "\n".join(lines)


def _broken(text: str, indent: int = 0) -> str:
    """Wrap a text between words at the terminal's width; further lines are indented by `indent` blanks."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        return text
    width = max(shutil.get_terminal_size().columns - indent, 20)
    return textwrap.fill(text, width, break_long_words=False).replace("\n", "\n" + " " * indent)


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
