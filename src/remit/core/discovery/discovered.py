# SPDX-License-Identifier: Apache-2.0
"""What a scan found wrong, and the places and texts they come from.

INVARIANT: no value here holds a secret, except `Piece.text` on its way to the
detectors. What is found names a secret by its keyed fingerprint and its last four characters.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from remit.core.findings.finding import finding_id
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import FINDING_MEANINGS
from remit.core.json_value import Json

#: Most places that a finding lists; the rest is counted.
MOST_PLACES: Final = 50


class SourceKind(enum.StrEnum):
    """What a piece of text is: detectors expect other secrets, and other examples, in each."""

    PROSE = "prose"
    TRANSCRIPT = "transcript"
    CONFIG = "config"
    CODE = "code"
    LOG = "log"
    EXPORT = "export"


class FilePlace(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Where something is: a file below the scanned root, and where in it.

    `inside` is a path in the file's structure, such as `mcpServers.github.env.TOKEN` or `cell 3`; `line` and
    `column` count from 1, 0 is unknown. `commit` names the version of a repository's history.
    """

    file: str
    line: int = 0
    column: int = 0
    inside: str = ""
    commit: str = ""

    @property
    def spot(self) -> str:
        """The file, and its line if that is known, as sentences name them."""
        return f"`{self.file}`" + (f" line {self.line}" if self.line else "")


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of text to look at, at most some hundred kilobytes.

    `one_line`: all of it stands on the line of its place; its line breaks are escapes of the file's form.
    `names` are the keys that lead to it, outermost first, such as `("env", "DB_PASSWORD")`. `speaker` is
    `person`, `agent`, `tool` or empty. `agent` is the declared agent that uses the text, if one is known.
    """

    text: str
    place: FilePlace
    kind: SourceKind
    names: tuple[str, ...] = ()
    speaker: str = ""
    agent: str = ""
    one_line: bool = False


class ExposedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that a detector found, named by its keyed fingerprint.

    `rule` is the detector's name (`aws-access-key`, `password-in-prose`, ...), `type` what it opens
    (`postgresql`, `github`, ...), `user` the account where the text names it, `start` and `end` its position
    in the piece, `confidence` from 0 to 1.
    """

    rule: str
    type: str
    fingerprint: str
    tail: str
    place: FilePlace
    start: int
    end: int
    confidence: float
    user: str = ""
    target: str = ""
    agent: str = ""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a scan found wrong.

    `about` is its subject, such as `credential:FINGERPRINT`, `server:NAME`, `agent:NAME` or `principal:ARN`;
    `which` distinguishes findings of a kind about one subject and holds no line number, so that a moved
    line is no other finding. `says` is one sentence with the facts. `steps` spell out a path, one sentence
    each. `reach` are the things that can be reached, in words. `owner` is a person or team, where derivable.
    """

    kind: FindingKind
    about: str
    which: str
    says: str
    places: tuple[FilePlace, ...]
    severity: Severity | None = None
    owner: str = ""
    evidence: dict[str, Json] = {}
    steps: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    remediation: str = ""

    @property
    def id(self) -> str:
        """The finding's id: equal for equal findings of any scan."""
        return finding_id(self.kind, self.about, self.which)

    @property
    def weight(self) -> Severity:
        """The stated severity, or that of its kind."""
        return self.severity or FINDING_MEANINGS[self.kind].severity

    @property
    def action(self) -> str:
        """What to do: what the rule says, else what its kind says."""
        return self.remediation or FINDING_MEANINGS[self.kind].remediation

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls that it breaks, such as `NHI2` or `ASI03`."""
        return FINDING_MEANINGS[self.kind].controls
