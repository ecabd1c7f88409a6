# SPDX-License-Identifier: Apache-2.0
"""The constraint `prefix`: how a string begins. Of absolute paths, its negation excludes all below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import MAX_TEXT, NO, UNDECIDABLE, YES, Constraint, Verdict, shown, text
from remit.core.tools.constraint.path import may_lead_to, path_fault
from remit.core.tools.constraint.text import folded, hidden, why_text


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prefix(Constraint):
    """The value is a string that begins with this text and has no control or invisible characters.

    It does not understand paths, addresses or URLs: `prefix: contracts` permits `contracts-old` and
    `contracts/../hr`. Use `path_under` for paths, `url_host` for URLs, `email_domain` for addresses.

    A prefix that begins with `/` is a path. Another path is then different only in normal form, absolute, and
    no directory above: `not: {prefix: /etc/}` refuses `//etc/x`, `/srv/../etc/x`, `/ETC/x`, `etc/x` and `/`.
    """

    text: str
    kind: ClassVar[str] = "prefix"

    def __post_init__(self) -> None:
        value = text(self.text)
        if not value:
            raise ConfigInvalid("is empty", remediation="write `anything: {}` to permit every value")
        if fault := hidden(value):
            raise ConfigInvalid(fault, remediation="write it without")

    def judge(self, value: Json) -> Verdict:
        """Judge by the first characters."""
        if type(value) is not str or len(value) > MAX_TEXT or hidden(value):
            return UNDECIDABLE
        if value.startswith(self.text):
            return YES
        if self.text[0] == "/" and (
            value[:1] != "/" or path_fault(value) or may_lead_to(value, self.text.rstrip("/") or "/")
        ):
            return UNDECIDABLE
        return UNDECIDABLE if folded(value).startswith(folded(self.text)) else NO

    def why(self, value: Json) -> str:
        """Name a wrong type or invisible characters."""
        return why_text(value)

    def argument(self) -> Json:
        """Return the text."""
        return self.text

    def describe(self) -> str:
        """Name the text."""
        return f"start with `{shown(self.text)}`"
