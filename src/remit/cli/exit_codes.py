# SPDX-License-Identifier: Apache-2.0
"""Faults at the command line: one line, the remediation, and the documented exit code."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import CycloptsError, UnknownOptionError


class UsageFault(Exception):
    """A command line that is incomplete or not understood."""

    def __init__(self, message: str, *, remediation: str = "") -> None:
        """Keep message and remediation apart."""
        super().__init__(message)
        self.message = message
        self.remediation = remediation


def exit_code(fault: BaseException, defect: int) -> int:
    """Return the exit code of a fault; `defect` for an unexpected one."""
    from remit.core import errors

    codes: tuple[tuple[type[BaseException], int], ...] = (
        (errors.Unauthenticated, 1),
        (errors.Forbidden, 1),
        (errors.Conflict, 1),
        (errors.VerificationFailed, 4),
        (errors.StoreUnavailable, 3),
        (errors.PolicyUnavailable, 3),
        (errors.UpstreamUnreachable, 3),
        (errors.Busy, 3),
        (errors.Malformed, 2),
        (errors.ConfigInvalid, 2),
        (errors.KeyUnavailable, 2),
        (errors.NotFound, 2),
        (errors.NotVerifiable, 2),
        (errors.RemitError, 3),
    )
    for kind, code in codes:
        if isinstance(fault, kind):
            return code
    return _agent_code(fault, defect)


def _agent_code(fault: BaseException, defect: int) -> int:
    """Return the exit code of a fault of the SDK, which is outside the hierarchy of remit's own faults."""
    # Looked up by name: the SDK is heavy, and an SDK that was not imported cannot have raised.
    faults = sys.modules.get("remit_sdk.errors")
    if faults is not None and isinstance(fault, faults.AgentFault):
        if isinstance(fault, faults.GatewayUnreachable):
            return 3
        return 1 if isinstance(fault, faults.GatewayRefused) and fault.status in (401, 403, 409) else 2
    if isinstance(fault, OSError):
        return 2
    return defect


def told(fault: BaseException, code: int) -> int:
    """Write a fault to standard error as one line, with the remediation, and return the code."""
    from remit.core.safe_text import plain

    message = getattr(fault, "message", "")
    if not message and isinstance(fault, OSError):
        message = f"{fault.strerror or fault}" + (f": `{fault.filename}`" if fault.filename else "")
        message = message[:1].lower() + message[1:]
    if not message:
        message = f"a defect of remit: {type(fault).__name__}"
        remediation = "set REMIT_DEBUG=1 to see the stack trace, and report it"
    else:
        remediation = getattr(fault, "remediation", "") or (
            "name another" if isinstance(fault, OSError) else ""
        )
    if place := getattr(fault, "place", ""):
        message = f"{place}: {message}"
    red, dim, end = ("\033[31m", "\033[2m", "\033[0m") if _colour() else ("", "", "")
    line = f"{red}error:{end} {plain(message)}"
    sys.stderr.write(line + (f"; {dim}{plain(remediation)}{end}" if remediation else "") + "\n")
    debug = getattr(fault, "debug", "")
    if debug and os.environ.get("REMIT_DEBUG") == "1":
        sys.stderr.write(f"debug: {plain(debug)}\n")
    return code


def unknown(
    word: str, known: Sequence[str], remediation: str = "`remit --help` lists all commands", below: str = ""
) -> UsageFault:
    """Return the fault of an unknown command."""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean `remit {below}{close[0]}`?" if close else remediation
    return UsageFault(f"command `{below}{word[:80]}` does not exist", remediation=hint)


def usage(fault: CycloptsError, command: str) -> UsageFault:
    """Return the parser's complaint in the wording of remit."""
    from cyclopts import MissingArgumentError, UnknownCommandError, UnknownOptionError, UnusedCliTokensError

    words = " ".join((command, *(fault.command_chain or ())))
    remediation = f"see `remit {words} --help`"
    if isinstance(fault, UnknownCommandError) and fault.unused_tokens:
        verbs = [verb for verb in fault.app or () if not verb.startswith("-")]
        return unknown(fault.unused_tokens[0], verbs, remediation, below=f"{command} ")
    if isinstance(fault, MissingArgumentError) and fault.argument is not None:
        if fault.keyword:
            return UsageFault(f"`{fault.keyword}` needs a value", remediation=remediation)
        return UsageFault(f"`{fault.argument.name}` is missing", remediation=remediation)
    if isinstance(fault, UnknownOptionError):
        return _unknown_option(fault, remediation)
    if isinstance(fault, UnusedCliTokensError) and fault.unused_tokens:
        return UsageFault(f"unexpected argument `{fault.unused_tokens[0][:80]}`", remediation=remediation)
    text = " ".join(str(fault).split()).rstrip(".").replace('"', "`")
    text = re.sub(r"unable to convert (`.*?`) into (int|float)", r"\1 is not a number", text)
    parts = [part[:1].lower() + part[1:] for part in text.split(". ")]
    return UsageFault("; ".join(parts), remediation=remediation)


def _unknown_option(fault: UnknownOptionError, remediation: str) -> UsageFault:
    from remit.cli.command_list import EVERYWHERE

    word = (fault.token.keyword or fault.token.value).partition("=")[0]
    known = [name for argument in fault.argument_collection for name in argument.names]
    known += [name.partition(" ")[0] for names, _ in EVERYWHERE for name in names.split(", ")]
    # Without the dashes, which every option has: with them any two short options look alike.
    bare = {name.lstrip("-"): name for name in known}
    close = difflib.get_close_matches(word.lstrip("-"), bare, n=1, cutoff=0.7)
    meant = f"did you mean `{bare[close[0]]}`?" if close else ""
    return UsageFault(f"option `{word[:80]}` does not exist", remediation=meant or remediation)


def _colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
