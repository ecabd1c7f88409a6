# SPDX-License-Identifier: Apache-2.0
"""Combinations of meanings that ask a model for what is not the tool's."""

from __future__ import annotations

import enum
import re
from typing import Final

from remit.core.discovery.servers.word_meanings import Meaning


class SignKind(enum.StrEnum):
    """What a sign shows."""

    HIDDEN = "hidden text"
    OVERRIDE = "overrides instructions"
    CONCEAL = "asks to conceal something from the user"
    SECRET = "asks for secrets"
    CONVERSATION = "asks for the conversation or the system prompt"
    HANDOVER = "asks to put something else into its arguments"
    REDIRECT = "changes the destination of other calls"
    OTHER_TOOLS = "gives orders about other tools"
    SENDING = "asks to send something elsewhere"
    COMMAND = "asks to change or run what is not the tool's"
    PRESSURE = "gives a reason to obey"
    ADDRESS = "speaks to the model"


_GAPS: Final = {
    ".": r"(?:[^|].)?",
    "~": r"(?:[^|].){0,3}?",
    "~~": r"(?:[^|].){0,8}?",
    "-": r"(?:[^|N].){0,8}?",
    "~~~": r"(?:[^|].){0,16}?",
    "//": r"(?:..){0,14}?",
}
#: Names for several meanings.
_NAMES: Final = {
    "SECRETS": "SECRET|FILE",
    "SENSITIVE": "FILE|SECRET|TALK|PROMPT",
    "SINK": "NAME|ADDRESS|US|TOOL",
    "DO1": "GIVE|TAKE|RUN|CHANGE|DISABLE|OMIT|APPROVE1",
}
#: Other tools are one word, or two with something between them.
_GROUPS: Final = {
    "OTHERS": f"(?:{Meaning.OTHER_TOOLS}.|{Meaning.ELSE}.(?:[^|].){{0,2}}?{Meaning.TOOL}.)",
}


def combination(form: str) -> re.Pattern[str]:
    """Return the pattern of a form over units.

    `SAY4 ~ USER|MODEL` is an act of saying that is forbidden, at most three words, then a user or a
    model. `.` is at most one word, `~~` are eight and `~~~` sixteen in one sentence, `//` fourteen words
    and ends of sentences; `-` are eight words without a negation. Digits after a meaning are its moods,
    where `1` is asked in any voice, and `6` in the active.
    """
    return re.compile("".join(_GAPS.get(one) or _GROUPS.get(one) or _word(one) for one in form.split()))


def _word(form: str) -> str:
    for name, several in _NAMES.items():
        form = form.replace(name, several)
    optional = "?" if form.endswith("?") else ""
    names = form.rstrip("?").split("|")
    moods = names[-1][len(names[-1].rstrip("0123456")) :].replace("1", "15").replace("6", "1")
    letters = "".join(re.escape(Meaning[one.rstrip("0123456")].value) for one in names)
    return f"(?:[{letters}]{f'[{moods}]' if moods else '.'}){optional}"


#: A sign's kind, its weight, and the combinations that show it.
_FORMS: Final = (
    (
        SignKind.CONCEAL,
        2,
        "SAY4 ~ USER",
        "SAY4 ~ IT",
        "SAY1 ~ USER NOT",
        "SAY4 ~~ ANSWER",
        "SAY1 ~ USER ~ ONLY",
        "USER|THEY ~ NOT ~ KNOW4|SAY4|ASK4",
        "USER|THEY ~ KNOW4|SAY4",
        "QUIET|HUSH ~ DO1",
        "DO1 ~ HUSH",
        "GIVE|TAKE|CHANGE|DISABLE|APPROVE1 ~ QUIET",
        "TRUST|OMIT1 ~ IT ~ QUIET|HUSH",
        "OMIT1 ~ IT ~ SECRET|HUSH",
        "IT ~ HUSH",
        "IT ~~ SAY4 END",
        "KNOW4 ~ CHECK|USER",
        "HIDE1 ~ IT|USER|RESULT|SENSITIVE|TOOL",
        "HIDE1 ~~ USER",
        "SAY1 ~ ONLY ~ GOOD",
        "IF ~ USER ~~ KNOW",
        "SAY1 . CHANGE|ANSWER GOOD|EXCUSE",
        "USER|THEY ~ HUSH",
        "HUSH ~ USER",
        "QUIET ~~ ADDRESS",
        "OMIT1 ~ IT ~ ANSWER",
        "OMIT|IGNORE1 IT IT",
        "TAKE|SAY4 IT ~ ANSWER",
        "SAY1 ~ IT ~ GOOD|EXCUSE",
        "SAY1 ~ GOOD ~ GOOD",
        "PRETEND1 ~ IT|NOT",
        "SAY3 ~ SAY|KNOW2 ~ USER",
        "EXCUSE ~ USER ~ NOT",
        "OMIT1 SAY3 ~ GOOD",
    ),
    (
        SignKind.CONCEAL,
        3,
        "IF ~ USER ~ ASK ~~ SAY1 IT NOT",
        "USER ~ ASK ~~~ ANSWER ~ ONLY|NOT",
        "IF ~ USER ~ NOT KNOW4",
    ),
    (
        SignKind.CONCEAL,
        1,
        "IT ~ QUIET",
        "SAY4 ~~ PERSONAL|TARGET",
        "SAY1 ~~ USER|THEY ASK",
        "SAY4 ~ RESULT",
    ),
    (
        SignKind.OVERRIDE,
        3,
        "PROMPT ~~~ WAIVED",
        "YOUR|YOU|PAST|MODEL ~~~ RULES|CHECK ~~~ WAIVED",
        "RULES|CHECK ~~ YOUR|YOU|PAST ~~~ WAIVED",
        "RULES|CHECK ~~~ WAIVED ~~ TOOL|YOU",
        "PROMPT|RULES|CHECK ~~~ NOT APPLY ~ YOU|TOOL",
        "YOUR|YOU|PAST|MODEL ~~~ RULES|CHECK ~~~ NOT APPLY",
        "TRUST1 ~~~ USER . GIVE|SAY3",
        "TRUST1 ~ US",
        "YOU ~~ ASK ~~~ NOT END",
        "CHECK|RULES // IGNORE1 IT|USER",
        "EVERY|IT|RESULT|DESPITE ~~ FIRST ~~ USER|TALK|RULES|PROMPT",
        "TRUST1 ~ RULES ~~ ADDRESS",
        "TRUST1 ~ RULES ~ RESULT ~~ USER",
        "TRUST1 ~ EVERY ~ IT ~~~ RULES",
        "TRUST1 RESULT ~ RULES",
        "RULES|RESULT // TRUST|RUN1 ~~ FIRST",
        "RULES // TRUST1 IT ~~ PROMPT|RULES",
        "CHECK // APPROVE135 ~~ ALREADY",
        "APPROVE1 ~ EVERY ~ CHECK|ASK",
        "MODEL|YOU ~ IGNORE1 ~ CHECK|RULES",
        "APPROVE1 ~~ ASK4",
        "USER ~ REFUSE ~~ RUN|GIVE|TAKE1 ~ DESPITE",
        "DESPITE ~ USER ~ REFUSE",
    ),
    (
        SignKind.OVERRIDE,
        2,
        "RULES|CHECK ~~~ WAIVED",
        "RULES|CHECK ~~~ NOT APPLY",
        "IGNORE6 ~ RULES|CHECK|PROMPT",
        "RULES|CHECK|PROMPT ~ IGNORE5",
        "TRUST1 ~ APPROVE",
        "YOU ~ MODE",
        "ANSWER ~ EVERY ~ ASK ~~~ GOOD",
        "TURN",
        "APPROVE1 ~ ALREADY",
        "CHECK . GIVE3 . EVERY",
        "DESPITE . USER|THEY ~ GIVE|ASK|TAKE|SAY|ROUTE|KNOW",
        "RUN1 ASK|SAY . RESULT",
        "RUN|DISABLE1 ~~ ASK4",
        "DISABLE6 ~ CHECK",
        "TRUST1 ~~ RULES ~ RESULT",
        "TRUST1 ~~ APPROVE|ALREADY",
        "GIVE1 ~~ SPACE ~ EVERY RUN|TRUST|ROUTE1",
    ),
    (
        SignKind.OVERRIDE,
        1,
        "DESPITE ~ USER",
        "MODEL ~ ALREADY",
    ),
    (
        SignKind.REDIRECT,
        3,
        "CHANGE1 ~~ TARGET ~~ ADDRESS",
        "TARGET ~~ CHANGE13 ~~ ADDRESS",
        "ADDRESS ~ INSTEAD ~~ TARGET",
        "TARGET ~~ NAME ~~ GIVE1 ~ TARGET",
        "IF ~ TOOL ~ NAME ~~ NAME ~~ ADDRESS",
        "ALSO . GIVE|ROUTE135 ~~ ADDRESS",
    ),
    (
        SignKind.REDIRECT,
        2,
        "PERSONAL|TARGET // CHANGE1 ~ TARGET",
        "IF ~~ USER ~~ GIVE1 ~~ ADDRESS",
        "OTHERS ~~~ CHANGE1",
        "GIVE1 ~~~ INSTEAD . TARGET",
        "PERSONAL|TALK|EVERY ~~~ GIVE1 ~ ADDRESS",
        "IF ~~~ CHANGE1 ~~ TARGET",
        "ROUTE|CHANGE1 ~ NAME ~ ADDRESS",
        "EVERY ANSWER ~~~ ADDRESS",
    ),
    (SignKind.REDIRECT, 1, "CHANGE1 ~ EVERY|TARGET"),
    (
        SignKind.OTHER_TOOLS,
        3,
        "OTHERS ~~ BAD|WORSE",
        "EVERY ELSE ~ BAD|WORSE",
        "OTHERS ~~~ DESPITE",
        "RUN|TRUST4 ~ NAME|IDENTIFIER ~~ WORSE",
        "NAME|IDENTIFIER ~ WORSE // RUN|ROUTE1 ~ TOOL",
        "ROUTE1 ~ TRAFFIC ~ TOOL|NAME",
        "OTHERS // RUN|GIVE1 ~ TOOL ~~~ ARGUMENTS",
        "PRETEND1 ~~ OTHERS",
        "ROUTE1 ~ RUN2 ~ NAME|TOOL",
        "TOOL ~~ WORSE // ROUTE1 ~ USER",
    ),
    (
        SignKind.OTHER_TOOLS,
        2,
        "TOOL ~ FIRST",
        "ROUTE1 ~ IT ~ EVERY",
        "OTHERS ~~~ GIVE|ROUTE1 ~ TOOL",
    ),
    (SignKind.OTHER_TOOLS, 1, "ROUTE1 ~ NAME", "MODEL ~~ ROUTE1", "TRUST|SAY|ROUTE4 ~ OTHERS"),
    (
        SignKind.SECRET,
        3,
        "ASK1 ~ USER ~ SECRETS // GIVE1 IT ~ TOOL",
        "SECRETS|KEY ~ USER ~~ GIVE ~~ NAME",
        "GIVE1 ~ SECRETS ~ PLACE",
        "TAKE3 ~ SECRETS ~~ GIVE ~~ NAME",
        "GIVE6 EVERY|DESPITE . SECRETS",
        "IF ~ YOU ~ KNOW|TAKE ~ SECRETS // GIVE1",
        "SECRETS|KEY ~~ GIVE1 ~~ ADDRESS",
        "GIVE1 ~~ SECRETS ~~ ADDRESS",
        "NAME GIVE ~ RESULT ~ NAME ~~ PLACE|SPACE",
        "CHANGE1 ~ NAME ~~ FILE",
    ),
    (
        SignKind.SECRET,
        2,
        "TAKE|GIVE|RUN1 ~~ FILE",
        "SAY4 ~~~ FILE",
        "SECRETS ~ IT YOU",
        "GIVE1 ~ NAME ~ SECRETS",
        "FILE ~~ GIVE|TAKE1",
        "RESULT ~ FILE",
        "ONLY ~ IF ~~ SECRETS",
        "TAKE|GIVE1 ~ USER ~ SECRETS|KEY",
        "SECRETS|KEY ~ USER ~~ GIVE1",
        "TAKE|GIVE1 ~~ SECRETS ~~ PLACE|SPACE|OTHER_TOOLS",
        "SECRETS ~~ TAKE ~ PLACE|SPACE",
        "SECRETS // TAKE1 ~~ PLACE|SPACE",
        "PLACE|SPACE ~~ SECRETS // GIVE1",
        "SECRETS ~~ OTHER_TOOLS ~ GIVE1",
        "TAKE1 ~ RESULT ~~ SECRETS",
        "GIVE|TAKE1 ~ PLACE|SPACE ~ SECRETS",
        "ASK1 ~ USER ~ SECRETS // GIVE1",
        "SECRETS ~~ PLACE|SPACE ~~ GIVE|TAKE1",
        "GIVE1 ~ RESULT ~~ SECRETS",
        "TAKE1 ~ PLACE // SECRETS",
    ),
    (
        SignKind.CONVERSATION,
        3,
        "GIVE1 ~~ TALK|PROMPT ~~ ADDRESS",
        "TALK|PROMPT ~~ GIVE1 ~~ ADDRESS",
        "MODEL ~ GIVE1 ~~ TALK|PROMPT",
        "GIVE1 ~~ YOU ~ KNOW1 ~ USER",
        "TAKE|GIVE1 ~ RESULT ~ PLACE ~~ NAME",
        "EVERY . ANSWER ~~ GIVE ~ NAME",
    ),
    (
        SignKind.CONVERSATION,
        2,
        "GIVE|TAKE1 - TALK|PROMPT",
        "RUN1 ~ NAME|IDENTIFIER - TALK|PROMPT",
        "TALK|PROMPT ~~ GIVE1",
        "NAME ~ GIVE ~~ PROMPT|TALK",
        "PROMPT // GIVE1 IT",
        "GIVE1 ~ PERSONAL ~ PERSONAL",
        "NAME ~~ PERSONAL ~~~ ADDRESS",
        "GIVE1 ~ PERSONAL ~ USER ~ PLACE",
        "IF ~~ TALK ~~ GIVE1 ~~~ NAME",
        "PERSONAL ~~ OTHERS ~~ GIVE1",
        "GIVE1 ~ EVERY ~ IT ~ TAKE13",
        "GIVE1 ~ PLACE|SPACE ~~ ADDRESS",
        "TAKE1 ~ PLACE // GIVE1",
        "TAKE|GIVE1 ~ RESULT ~ PLACE",
    ),
    (
        SignKind.CONVERSATION,
        1,
        "GIVE|TAKE1 ~~ PERSONAL",
    ),
    (
        SignKind.HANDOVER,
        1,
        "GIVE|SAY1 ~ IT|RESULT|USER|PERSONAL ~~ NAME",
        "GIVE|SAY ~~~ SENSITIVE ~~ NAME",
        "SENSITIVE ~~ GIVE ~~ NAME",
        "NAME . GIVE ~~ SENSITIVE",
        "GIVE1 ~~~ EVERY RUN",
        "GIVE1 ~~~ EXACTLY",
    ),
    (
        SignKind.SENDING,
        1,
        "GIVE ~~~ ADDRESS",
        "GIVE ~~ US",
        "ASK1 ~ USER ~~ ADDRESS",
    ),
    (
        SignKind.SENDING,
        2,
        "GIVE1 ~ RESULT ~~ NAME ~~ PUBLIC",
        "GIVE1 ~~ SENSITIVE ~ US|TOOL",
        "GIVE1 ~ RESULT ~~ ADDRESS",
    ),
    (
        SignKind.COMMAND,
        3,
        "GIVE1 ~~ CODE|PROGRAM ~~ PERSISTS",
        "GIVE1 ~~ PERSISTS ~~ ADDRESS",
        "GIVE1 ~~ PERSISTS ~ TRUST1",
        "RUN1 ~~ PROGRAM",
    ),
    (
        SignKind.COMMAND,
        2,
        "GIVE1 ~ CODE ~~ EVERY",
        "GIVE1 ~ CODE // QUIET",
        "DISABLE1 ~ PLACE|SPACE ~~ EVERY",
        "GIVE1 ~~ PERSISTS",
        "PROGRAM",
    ),
    (SignKind.COMMAND, 1, "ADDRESS ~~ DISABLE1"),
    (
        SignKind.PRESSURE,
        1,
        "EXCUSE",
        "ALREADY",
        "DISABLE1 ~ CHECK ~~ IF",
    ),
    (
        SignKind.ADDRESS,
        1,
        "MODEL ONLY",
        "TAG",
        "MODEL ~ TAKE3",
    ),
)

#: What the description of a parameter asks for: it need not say that it is to be given.
_PARAMETER_FORMS: Final = (
    (SignKind.SECRET, 3, "RESULT ~ FILE", "EVERY|DESPITE ~ SECRET ~~ YOU|USER|SPACE|PLACE|TALK"),
    (
        SignKind.CONVERSATION,
        3,
        "YOUR ~ PROMPT",
        "EVERY ~ TALK ~~~ EXACTLY|USER|RESULT",
        "TALK ~ EVERY ~ USER|TALK",
        "TALK ~~ EXACTLY",
    ),
    (SignKind.OTHER_TOOLS, 3, "EVERY ~ OTHERS", "OTHERS ~~ YOU"),
)

Forms = tuple[tuple[SignKind, int, re.Pattern[str]], ...]


def _combinations(table: tuple[tuple[SignKind | int | str, ...], ...]) -> Forms:
    return tuple(
        (SignKind(str(kind)), int(weight), combination(str(form)))
        for kind, weight, *forms in table
        for form in forms
    )


FORMS: Final = _combinations(_FORMS)
PARAMETER_FORMS: Final = _combinations(_PARAMETER_FORMS)
#: The person is asked first; what is asked for then is weak as a sign.
CONSENT: Final = combination("IF ~ USER|THEY ~ APPROVE")
