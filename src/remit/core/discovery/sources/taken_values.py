# SPDX-License-Identifier: Apache-2.0
"""Values of configuration that their form hides from a reader of the plain text.

They are values with escapes, values whose name stands in another field (`name: DB_PASSWORD`, `value: ...`),
blocks under a telling name, and base64 where the form says so: Kubernetes Secrets and Docker logins.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.documents import unescaped
from remit.core.discovery.sources.messages import LocatedText
from remit.core.discovery.sources.prompts import is_prompt
from remit.core.discovery.sources.text import TELLING, Taken
from remit.core.json_value import Json

#: Fields whose name says nothing about their value.
VALUE_FIELDS: Final = frozenset(
    (
        "value",
        "default",
        "content",
        "stringvalue",
        "defaultvalue",
        "text",
        "data",
        "plaintext",
        "secretstring",
    )
)
_LABELS: Final = (
    "name", "key", "Name", "Key", "variable", "id", "ParameterKey", "environment_variable"
)  # fmt: skip
_LOGIN: Final = re.compile(r'("auth"\s*:\s*")([A-Za-z0-9+/]{8,4096}={0,2})"')
#: A text with escapes, behind any number of texts without.
_ESCAPED: Final = re.compile(r'(?:[^"]++|"[^"\\]*+")*+"([^"\\]*+\\(?:[^"\\]++|\\.)*+)"', re.DOTALL)
_FIELD: Final = re.compile(r'"([^"\\]{1,120})"\s{0,8}:\s{0,8}"\Z')
_MOST_DEPTH: Final = 110


def taken_values(tree: Json, *, escapes: bool) -> Iterator[Taken]:
    """Yield the values to take out of a document. `escapes`: quoted texts may hold escapes, as in JSON."""
    yield from _walk(tree, (), "", escapes, 0)


def _walk(value: Json, names: tuple[str, ...], label: str, escapes: bool, depth: int) -> Iterator[Taken]:
    if isinstance(value, LocatedText):
        yield from _leaf(value, names, label, escapes)
    elif isinstance(value, list) and depth < _MOST_DEPTH:
        for one in value:
            yield from _walk(one, names, label, escapes, depth + 1)
    elif isinstance(value, dict) and depth < _MOST_DEPTH:
        said = next((str(one) for key in _LABELS if isinstance(one := value.get(key), str) and one), "")
        if value.get("kind") == "Secret" and "apiVersion" in value:
            yield from _secret_data(value, names)
            value = {key: one for key, one in value.items() if key != "data"}
        for key, one in value.items():
            yield from _walk(one, (*names, key), said or label, escapes, depth + 1)


def _leaf(value: LocatedText, names: tuple[str, ...], label: str, escapes: bool) -> Iterator[Taken]:
    if len(value) < 3 or value.end <= value.start:
        return
    key = names[-1].lower() if names else ""
    whole = (value.start, value.end)
    if key == "auth" and "auths" in names and (login := decoded_base64(value)):
        yield Taken(*whole, login, names)
    elif is_prompt(key, value):
        yield Taken(*whole, str(value), names, kind=SourceKind.PROSE)
    elif key in VALUE_FIELDS and (label or len(names) > 1):
        telling = (
            label if TELLING.search(label) else next((n for n in names[-2:-5:-1] if TELLING.search(n)), "")
        )
        if telling:
            where = (*names, telling) if telling == label else (*names[:-1], telling)
            yield Taken(*whole, str(value), where, ".".join(names))
        elif escapes and value.end - value.start != len(value):
            yield Taken(*whole, str(value), names)
    elif value.style in ("|", ">"):
        if TELLING.search(key):
            yield Taken(*whole, str(value), names)
    elif (escapes or value.style == '"') and value.end - value.start - 2 * (not escapes) != len(value):
        yield Taken(*whole, str(value), names)


def _secret_data(secret: dict[str, Json], names: tuple[str, ...]) -> Iterator[Taken]:
    """Yield the decoded data of a Kubernetes Secret; what is no base64 is read as it stands."""
    data = secret.get("data")
    about = secret.get("metadata")
    title = about.get("name") if isinstance(about, dict) else ""
    for key, one in data.items() if isinstance(data, dict) else ():
        if isinstance(one, LocatedText) and one.end > one.start:
            text = decoded_base64(one)
            if text is not None:
                text = _LOGIN.sub(lambda found: f'{found[1]}{decoded_base64(found[2]) or found[2]}"', text)
            path = (*names, str(title), "data", key) if title else (*names, "data", key)
            yield Taken(one.start, one.end, str(one) if text is None else text, path)


def escaped_values(text: str) -> Iterator[Taken]:
    """Yield the texts with escapes of a JSON text, without reading it as a tree."""
    at = 0
    # Anchored: where nothing follows, no later position is tried.
    while (found := _ESCAPED.match(text, at)) is not None:
        at = found.end()
        start, end = found.span(1)
        field = _FIELD.search(text, max(start - 160, 0), start)
        value = unescaped(found[1])
        if len(value) > 3 and value != found[1]:
            yield Taken(start, end, value, (field[1],) if field else (), field[1] if field else "text")


def decoded_base64(text: str) -> str | None:
    """Return the text that a text is in base64; nothing if it is not, or holds bytes that are no text."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
