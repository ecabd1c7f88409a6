# SPDX-License-Identifier: Apache-2.0
"""A description as a row of meanings: who shall do what with which, and what is told as a fact.

Each word is a unit of two characters: the letter of its meaning, and its mood. Forms over units hold in each
language of the vocabulary and in each order of words that their gaps allow, so no phrase is listed.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from remit.core.discovery.servers.word_meanings import BEGINS, EXACT, LONGEST, SKIPPED, Meaning

#: Moods: no act, asked of the model, what the tool does, another form, forbidden, asked in the passive.
PLAIN: Final = "0"
ASKED: Final = "1"
TOLD: Final = "2"
LOOSE: Final = "3"
FORBIDDEN: Final = "4"
PASSIVE: Final = "5"

_ACTS: Final = frozenset("SKTGCDIXRBVPLJ(")
#: Words after a negation that it still forbids, and words after the model's name that speak to it.
_FORBIDS: Final = 5
_SPEAKS: Final = 7
_SECRET_FILE: Final = (
    r"(?:\.ssh\b|id_rsa|id_ed25519|id_ecdsa|mcp\.json|\.env\b|\.aws\b|\.npmrc|\.netrc|\.git-credentials|\.kube\b"
    r"|\.docker/config|\.pgpass|/etc/(?:passwd|shadow)|\.(?:bash|zsh|sh|psql|mysql|python)_history\b"
    r"|wallet\.dat|cookies?\.sqlite|\.config/g|\.pypirc|login\.keychain|\.gnupg|authorized_keys"
    r"|credentials?\.(?:json|db|ya?ml)|secrets?\.(?:json|ya?ml|toml)"
    r"|\b(?:env|printenv|whoami)\b(?=[`'\"])|\.pem\b|\.p12\b|\.kdbx)"
)
_STARTUP_FILE: Final = (
    r"(?:\.bashrc|\.zshrc|\.profile\b|\.bash_profile|\.git/hooks|\bcrontab|authorized_keys"
    r"|\b(?:claude|agents|gemini)\.md|\.cursorrules|launchagents|\bsudoers|\.gitconfig|systemd/)"
)
_DOWNLOAD: Final = r"\b(?:curl|wget|iwr|irm)\b"
_TO_SHELL: Final = r"\| ?(?:sudo )?(?:ba|z)?sh\b"
_DOMAINS: Final = (
    r"(?:example|com|net|org|io|dev|app|xyz|ru|cn|eu|info|biz|site|online"
    r"|cloud|link|click|top|live|page|tech)"
)
_SLOT: Final = r"(?:the )?(?:field|parameter|argument) [a-z]\w+"
_IDENTIFIER: Final = r"[a-z]+_[a-z_]+[a-z0-9]*\b"
#: What a token is, the first that fits; `name` is an argument or a tool that is spoken of.
_TOKENS: Final = {
    "turn": r"<\|?(?:im_start|system)\|?>|\[/?inst\]|\[system\]|### ?system|<<sys>>"
    r"|(?:^|(?<=[.>)] ))(?:system|assistant|developer|user)\s?:(?!\w)",
    "tag": r"</?(?:important|secret|hidden|instructions?|critical|admin)>",
    "value": r"=\s?['\"][^'\"]{0,200}['\"]",
    "address": r"https?://[^\s,;)`'\"]*[^\s,;)`'\".!?]|(?<![\w.+-])[\w.+-]{1,64}@[\w-]+\.\w[\w.]*\w"
    r"|\+\d[\d ]{6,}\d|\b[a-z]{2}\d{2}(?: ?\d{4}){2,}(?: ?\d{1,3})?\b|\b[a-z]{2}\d{8,}\b"
    rf"|(?<![\w.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}{_DOMAINS}\b(?!\()|\b0x[0-9a-f]{{8,}}|\bbc1\w{{8,}}",
    "persists": rf"[`'\"~/\w.]{{0,40}}{_STARTUP_FILE}[\w/.-]{{0,40}}[`'\"]?",
    "program": rf"{_DOWNLOAD}[^|;]{{1,200}}{_TO_SHELL}|\bpowershell\b[^.]{{0,60}}-enc\w*"
    rf"|\b(?:ba|z)?sh -c [`'\"]?\$\({_DOWNLOAD}"
    rf"|`[^`]{{0,80}}{_DOWNLOAD}[^`|]{{1,120}}{_TO_SHELL}[^`]{{0,80}}`",
    "file": rf"[`'\"]?[\w~/.*-]{{0,60}}{_SECRET_FILE}(?![\w.-]*\.(?:pub|example|sample|template))"
    r"[\w./-]{0,60}[`'\"]?",
    "linked": r"`[^`]{0,80}(?:https?://|@)[^`]{1,100}`",
    "name": r"`[a-z_][\w.-]{0,50}`|['\"][a-z]\w{0,30}['\"](?!\w)"
    rf"|(?:(?<=\bin )|(?<=\bto )|(?<=\binto ))(?:{_IDENTIFIER}|{_SLOT})"
    rf"|(?:(?<=\bas )|(?<=\bwith )|(?<=\bcall )|(?<=\bunder )|(?<=\bthrough )|(?<=\bvia )){_IDENTIFIER}",
    "identifier": rf"\b{_IDENTIFIER}",
    "part": r":(?:param|returns?|type|raises|rtype)\b|\s[-*\u2022]\s"
    r"|\b(?:args|arguments|parameters|returns|examples?|raises)\s?:",
    "code": r"`[^`]{1,120}`",
    "word": r"[^\W\d_]+(?:['-][^\W\d_]+)*'?",
    "end": r"[.!?;\u3002\uff01\uff1f\uff1b](?=[\s)\"'\u3000-\u9fff]|$)|[\u3002\uff1b]",
    "break": r"[,:()\u3001\uff0c\uff1a\u2014]",
    "number": r"\d+",
}
_TOKEN: Final = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _TOKENS.items()))
_MEANINGS: Final[dict[str | None, Meaning]] = {
    "end": Meaning.END,
    "part": Meaning.END,
    "identifier": Meaning.IDENTIFIER,
    "turn": Meaning.TURN,
    "value": Meaning.OTHER,
    "tag": Meaning.TAG,
    "address": Meaning.ADDRESS,
    "linked": Meaning.ADDRESS,
    "file": Meaning.FILE,
    "name": Meaning.NAME,
    "persists": Meaning.PERSISTS,
    "program": Meaning.PROGRAM,
    "code": Meaning.CODE,
    "number": Meaning.OTHER,
}
_FILES: Final = re.compile(_SECRET_FILE)
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_ELIDED: Final = re.compile(r"^(?:l|d|n|j|m|s|t|qu|dell|all|nell|sull)'(?=\w)")
_ENCLITIC: Final = re.compile("-(?:le|la|les|lui|leur|moi|lo|los|las|o|a|os|as|lhe|y|en)$")
_NUMBERS: Final = re.compile(
    r" (?:\d+|two|three|four|five|six|seven|eight|ten|twenty|few|several|couple of|of the|of|the) "
)
_PRONOUNS: Final = frozenset({"it", "this", "that", "them", "these", "those"})
#: What stands before an act that is owed, and before one that is only possible or a purpose.
_MODAL: Final = frozenset(
    {"must", "should", "shall", "ought", "has", "have", "needs", "need", "is", "are", "to"}
)
_DUTY: Final = frozenset(
    {"has", "have", "need", "needs", "expected", "supposed", "required", "ought", "is", "are", "asked"}
)
_PURPOSE: Final = frozenset({"to", "can", "could", "may", "will", "would", "might", "cannot"})


class Read(NamedTuple):
    """A text as units, and where each stands in it."""

    units: str
    spans: tuple[tuple[int, int], ...]


class _Word(NamedTuple):
    meaning: Meaning
    form: str
    text: str
    start: int
    end: int


#: Forms of words that may ask: the base of a verb, and a word that has no other form.
_BASE: Final = ("b", "")
_END: Final = Meaning.END.value + PLAIN


class _Sentences:
    """What was read of a sentence: its last words, and whether they forbid or speak to the model."""

    def __init__(self) -> None:
        self._before: list[str] = []
        self._negated = self._addressed = 0
        self._forbidden = self._started = False
        self._first = True

    def unit(self, word: _Word) -> str:
        """Return the unit of the next word; empty if it has none."""
        if word.meaning is Meaning.END:
            self._first = self._first and not self._started
            self._before, self._negated, self._addressed, self._forbidden = [], 0, 0, False
            return _END
        mood = PLAIN
        skipped = word.form == "," or (word.text in SKIPPED and word.text not in EXACT)
        if not skipped:
            if word.meaning.value in _ACTS:
                mood = self._mood(word)
            self._negated = _FORBIDS if word.meaning is Meaning.NOT else max(0, self._negated - 1)
            speaks = word.meaning in (Meaning.MODEL, Meaning.YOU)
            self._addressed = _SPEAKS if speaks else max(0, self._addressed - 1)
        self._started = self._started or word.form != ","
        self._before = [*self._before[-3:], word.text]
        return "" if skipped else word.meaning.value + mood

    def _mood(self, word: _Word) -> str:
        last = self._before[-1] if self._before else ""
        if word.form != "s" and (self._negated or (self._forbidden and last == "to")):
            self._forbidden, self._negated = True, min(self._negated, 2)
            return FORBIDDEN
        if word.form == "f":
            return ASKED
        if word.form == "p" and self._is_owed(last):
            return PASSIVE
        if self._addressed:
            return ASKED
        if word.form == "s" or (word.form in _BASE and self._first and not self._before):
            return TOLD
        asked = word.form in _BASE and last not in _PURPOSE
        begun = word.form == "i" and last in ("by", "begin", "start")
        due = word.form in _BASE and last == "to" and any(one in _DUTY for one in self._before[:-1])
        return ASKED if asked or begun or due else LOOSE

    def _is_owed(self, last: str) -> bool:
        before = self._before
        owed = "be" in before and any(one in _MODAL for one in before)
        return owed or last in ("gets", "get") or ("is" in before and "to" in before)


def read(text: str) -> Read:
    """Return a folded text as units."""
    units: list[str] = []
    spans: list[tuple[int, int]] = []
    sentences = _Sentences()
    for word in _words(text):
        unit = sentences.unit(word)
        if unit and (unit != _END or units[-1:] != [_END]):
            units.append(unit)
            spans.append((word.start, word.end))
    return Read("".join(units), tuple(spans))


def _words(text: str) -> list[_Word]:
    found: list[_Word] = []
    tokens = list(_TOKEN.finditer(text))
    at = 0
    while at < len(tokens):
        token = tokens[at]
        kind = token.lastgroup
        at += 1
        start, end = token.span()
        if kind == "break":
            found.append(_Word(Meaning.OTHER, ",", ",", start, end))
        elif kind in _MEANINGS:
            secret = kind == "code" and _FILES.search(token[0])
            meaning = Meaning.FILE if secret else _MEANINGS[kind]
            found.append(_Word(meaning, "", token[0] if kind == "number" else "", start, end))
        elif _CJK.search(token[0]):
            found += _without_blanks(token[0], start)
        else:
            word, used = _phrase(text, tokens, at - 1)
            found.append(word)
            at += used - 1
    return found


def _phrase(text: str, tokens: list[re.Match[str]], at: int) -> tuple[_Word, int]:
    """Return the longest known phrase that begins at a token, and how many tokens it takes."""
    start = tokens[at].start()
    word = _ELIDED.sub("", tokens[at][0])
    if (split := _split_verb(text, tokens, at)) is not None:
        return split, 3
    for count in range(min(LONGEST.get(word, 1) + 1, len(tokens) - at), 0, -1):
        end = tokens[at + count - 1].end()
        phrase = text[start:end] if count > 1 else word
        known = (
            EXACT.get(phrase) or EXACT.get(_NUMBERS.sub(" ", phrase)) or EXACT.get(phrase.removesuffix("'s"))
        )
        if known is not None:
            return _Word(known[0], known[1], phrase, start, end), count
    for ending in ("'s", "'"):
        if word.endswith(ending) and (known := EXACT.get(word.removesuffix(ending))) is not None:
            return _Word(known[0], known[1], word, start, tokens[at].end()), 1
    word = _ENCLITIC.sub("", word)
    if (known := EXACT.get(word)) is not None:
        return _Word(known[0], known[1], word, start, tokens[at].end()), 1
    for size in range(len(word), 2, -1):
        if (begun := BEGINS.get(word[:size])) is not None:
            return _Word(begun, "f", word, start, tokens[at].end()), 1
    return _Word(Meaning.OTHER, "", word, start, tokens[at].end()), 1


def _split_verb(text: str, tokens: list[re.Match[str]], at: int) -> _Word | None:
    """Return a verb of two words with a pronoun between them (`leave it out`)."""
    if at + 2 < len(tokens) and tokens[at + 1][0] in _PRONOUNS:
        known = EXACT.get(f"{tokens[at][0]} {tokens[at + 2][0]}")
        if known is not None and known[1]:
            return _Word(known[0], known[1], tokens[at][0], tokens[at].start(), tokens[at + 2].end())
    return None


def _without_blanks(text: str, start: int) -> list[_Word]:
    """Return the known words of a text that is written without blanks, the longest first."""
    found: list[_Word] = []
    at = 0
    while at < len(text):
        for size in range(min(8, len(text) - at), 0, -1):
            piece = text[at : at + size]
            known = EXACT.get(piece)
            if known is not None and (size > 1 or piece in "不别勿"):
                found.append(_Word(known[0], known[1], piece, start + at, start + at + size))
                at += size
                break
        else:
            at += 1
    return found
