# SPDX-License-Identifier: Apache-2.0
"""How a credential is injected: into the headers of a call, or the environment of a process started for the
task.

A template names values of the source in braces: `Bearer {token}`. A value that no template names does not
leave the broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from remit.core.errors import KeyUnavailable


class InjectedHeaders(NamedTuple):
    """A credential in the form in which it is injected."""

    headers: dict[str, str]
    env: dict[str, str]


class Injection:
    """The injection templates of one upstream."""

    def __init__(
        self, headers: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Store the templates by header name, and by environment variable."""
        self._headers = dict(headers or {})
        self._env = dict(env or {})

    @classmethod
    def of_bearer(
        cls, headers: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
    ) -> Injection:
        """Return the templates of a source whose `{token}` is a bearer token.

        Without templates, calls carry the token as RFC 6750 specifies.
        """
        return cls(headers or ({} if env else {"Authorization": "Bearer {token}"}), env)

    def uses(self, name: str) -> bool:
        """Return whether a template names this value."""
        return any(f"{{{name}}}" in one for one in (*self._headers.values(), *self._env.values()))

    def filled(self, values: Mapping[str, str], source: str) -> InjectedHeaders:
        """Insert a credential's values into the templates.

        Raises `KeyUnavailable` if a value is missing, or if a header or variable cannot hold it.
        """
        headers = {
            name: _text(one, values, source, f"header `{name}`") for name, one in self._headers.items()
        }
        env = {name: _text(one, values, source, f"variable `{name}`") for name, one in self._env.items()}
        for name, text in headers.items():
            if not text.isprintable() or not text.isascii():
                raise _unfit(source, f"header `{name}`")
        for name, text in env.items():
            if "\0" in text:
                raise _unfit(source, f"variable `{name}`")
        return InjectedHeaders(headers, env)


def _text(template: str, values: Mapping[str, str], source: str, place: str) -> str:
    text, *parts = template.split("{")
    for part in parts:
        wanted, closed, rest = part.partition("}")
        if not closed or wanted not in values:
            raise KeyUnavailable(
                f"{source} does not provide `{wanted[:40]}` for the {place}",
                code="source-refused",
                remediation=f"use one of {', '.join(f'`{one}`' for one in sorted(values))}",
            )
        text += values[wanted] + rest
    return text


def _unfit(source: str, place: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"a value of {source} cannot be used in the {place}",
        code="source-refused",
        remediation="check the values of the source",
    )
