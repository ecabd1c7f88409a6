# SPDX-License-Identifier: Apache-2.0
"""Parsing of written grants, with faults that name the key."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint import shown

_TOOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[A-Za-z0-9_.:/-]{1,256}")
_T = TypeVar("_T")


def check_tool(tool: str) -> None:
    """Check that the text is `upstream/tool`; raise `ConfigInvalid`."""
    if _TOOL.fullmatch(tool) is None:
        raise ConfigInvalid(
            f"`{shown(tool)}` is not a tool name",
            key="tool",
            remediation="write `upstream/tool`; no wildcards",
        )


def convert_written(written: Json, kind: type[_T]) -> _T:
    """Convert plain values to a struct; raise `ConfigInvalid` for values that do not fit."""
    try:
        return msgspec.convert(written, kind)
    except msgspec.ValidationError as fault:
        keys = ", ".join(field.name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]
        raise ConfigInvalid(_lowered(fault), remediation=f"its keys: {keys}") from None


def _lowered(fault: msgspec.ValidationError) -> str:
    words = str(fault)
    return words[:1].lower() + words[1:]


def keyed(read: Callable[[], _T], key: str) -> _T:
    """Run a parser, adding the key to any fault."""
    try:
        return read()
    except ConfigInvalid as fault:
        if fault.key == key or fault.key.startswith((f"{key}.", f"{key}[")):
            raise
        at = f"{key}.{fault.key}" if fault.key else key
        raise ConfigInvalid(_bare(fault), key=at, remediation=fault.remediation) from None


def _bare(fault: ConfigInvalid) -> str:
    return fault.message.removeprefix(f"`{fault.key}`: ")
