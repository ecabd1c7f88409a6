# SPDX-License-Identifier: Apache-2.0
"""How commands are defined: nouns with verbs, single verbs, and the options that several share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from remit.cli.command_list import BY_NAME
from remit.cli.exit_codes import UsageFault
from remit.core.json_value import Json

EPILOGUE = "Everywhere: --json, --config FILE, --as NAME."

#: An option that may be given several times, one value each.
Many = Parameter(negative=(), consume_multiple=False)
Pairs = Annotated[tuple[str, ...], Parameter(name=("--param", "-p"), negative=(), consume_multiple=False)]
Arguments = Annotated[
    tuple[str, ...], Parameter(name=("--argument", "-a"), negative=(), consume_multiple=False)
]
Several = Annotated[tuple[str, ...], Many]
Switch = Annotated[bool, Parameter(negative=())]


def noun(name: str, summary: str) -> App:
    """Return the application of a noun; `@app.command` adds its verbs."""
    return _app(name, summary)


def verb(name: str) -> App:
    """Return the application of a single verb; `@app.default` adds its function."""
    return _app(name, None, usage=f"Usage: {usage_of(name)}")


def _default(value: object) -> str | None:
    """Return a default as the help shows it; None if it says nothing."""
    return None if value is None or value in ("", (), False) else str(value)


_PLAIN = Parameter(show_env_var=False, show_default=_default)


def usage_of(name: str) -> str:
    """Return the usage line of a verb: its arguments by name, its options, and the program that it starts."""
    takes, dashes, program = BY_NAME[name].usage.replace("...", "").strip().partition("--")
    return " ".join(
        part for part in ("remit", name, takes.strip(), "[OPTIONS]", dashes, program.strip()) if part
    )


def _app(name: str, summary: str | None, usage: str | None = None) -> App:
    app = App(
        name=f"remit {name}",
        help=summary,
        usage=usage,
        help_epilogue=EPILOGUE,
        version_flags=(),
        default_parameter=_PLAIN,
    )
    app["--help"].show = False
    return app


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(given: str) -> int:
    """Read a time span such as `90s`, `8h`, `30d`."""
    number, unit = given[:-1], given[-1:]
    if not number.isascii() or not number.isdigit() or unit not in _UNITS:
        raise UsageFault(f"`{given[:40]}` is not a duration", remediation="write `8h` or `30d`")
    return int(number) * _UNITS[unit]


def pairs(given: tuple[str, ...], option: str) -> dict[str, Json]:
    """Read `name=value` pairs. A value is text: it never becomes a number because it looks like one.

    `name=@file` takes the text of a file, `name:=value` takes JSON.
    """
    found: dict[str, Json] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageFault(
                f"`{pair[:80]}` is not a `name=value` pair", remediation=f"write `{option} name=value`"
            )
        strict = name.endswith(":")
        name = name.removesuffix(":")
        if name in found:
            raise UsageFault(f"`{name}` is given twice", remediation="give it once")
        found[name] = _value(value, strict, pair)
    return found


def _value(value: str, strict: bool, pair: str) -> Json:
    if strict:
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise UsageFault(
                f"the value of `{pair[:80]}` is not JSON", remediation="quote it for the shell"
            ) from None
    if value.startswith("@"):
        return Path(value[1:]).read_text(encoding="utf-8")
    return value
