# SPDX-License-Identifier: Apache-2.0
"""Secrets in sentences and tables: "the password is ...", "log in as ana / ..."

English, German, French and Spanish, with the word for password in some more. RE2 finds the words; what stands
within a hundred bytes around them is read by rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import re2

from remit.core.discovery.secrets.assignments import kind_of
from remit.core.discovery.secrets.candidates import Candidate
from remit.core.discovery.secrets.placeholders import (
    expression,
    hexadecimal,
    identifier,
    placeholder,
    term,
    uuid,
)
from remit.core.discovery.secrets.provider_tokens import compiled
from remit.core.discovery.secrets.randomness import commonness, password_like, random_like, word_like

_SECRETS: Final = (
    rb"password|passwords|passwd|passphrase|passcode|pwd|pw|pass|pin|secret|token|tokens|key|keys|"
    rb"apikey|credential|credentials|"
    rb"creds|login|logins|code|passwort|kennwort|zugangscode|geheimnis|schl(?:\xc3\xbc|ue)ssel|"
    rb"api-schl(?:\xc3\xbc|ue)ssel|"
    rb"zugangsdaten|mot de passe|mdp|cl(?:\xc3\xa9|e)|jeton|contrase(?:\xc3\xb1|n)a|clave|senha|"
    rb"wachtwoord|parola|has(?:\xc5\x82|l)o"
)
#: Nouns of sentences that are no parts of names.
NOUNS: Final = (
    rb"\bkeys?\b|\bpin\b|\bcode\b|\bcreds\b|\blog[ ]?ins?\b|\bsign[ ]in\b|geheimnis|schl(?:\xc3\xbc|"
    rb"ue)ssel|zugang|"
    rb"pass-word|mot de passe|cl\xc3\xa9|jeton|wachtwoord|parola|has\xc5\x82o|\bkonto\b|\bcompte\b|"
    rb"\bcuenta\b|\bacceso\b|\baccount\b"
)
NOUNS_ALONE: Final = frozenset(
    b"key|keys|pin|code|creds|login|logins|log in|log ins|sign in|zugang|konto|compte|cuenta|"
    b"acceso|account".split(b"|")
)
_LOGINS: Final = re.compile(rb"(?i)log|sign|cred|zugang|konto|compte|cuenta|acceso|account")
_INSIDE: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_./$@-")
_BREAKS: Final = (b"\\n", b"\\r", b"\\t")
_ONWARD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRTUVWXYZabcdefghijklmnopqrtuvwxyz_/([=-")
_SIGNED: Final = compiled(
    rb"[A-Za-z!#$%&*+?^~@][\w!#$%&*+?^~@.-]*[0-9]|[0-9][\w.-]*[A-Za-z!#$%&*+?^~@]|"
    rb"[A-Za-z0-9][!#$%&*+?^~]|[A-Za-z]{16,}|[a-z]{3,}-[a-z]{3,}-[a-z]{3,}-[a-z]{3,}"
)
_PASSWORD: Final = re.compile(
    rb"(?i)pass|pw|pin|kennwort|mot de|mdp|contrase|clave|senha|wachtwoord|parola|has|creds|"
    rb"credential|login|code|zugang"
)
_IS: Final = (
    rb"(?:is|are|was|it's|\xe3\x81\xaf|\xe6\x98\xaf|\xd1\x8d\xd1\x82\xd0\xbe|=|:|->|=>|"
    rb"\xe2\x86\x92|equals|lautet|lauten|ist|sind|war|est|sont|es|son|ser\xc3\xa1|\xc3\xa8|\xc3\xa9|jest)"
)
_FILLER: Final = (
    rb"(?:(?:now|still|currently|also|just|simply|probably|set to|jetzt|noch|immer noch|"
    rb"aktuell|maintenant|toujours|ahora|the)[ ])?"
)
_QUOTES: Final = (
    rb"(?:\\?[\"'`]|\*\*|\xe2\x80[\x98-\x9f]|\xc2[\xab\xbb](?:[ ]|\xc2\xa0|\xe2\x80\xaf)?|\xe2\x80\xb9)"
)
_BETWEEN: Final = rb"(?:[*_`\"')\]]{0,3}(?:[ ]\([^()\n]{1,30}\))?)"
#: Words between the noun and the verb: never a quote, a verb or the end of a sentence.
_VERB: Final = re.compile(
    _BETWEEN + rb"(?![ ](?:manager|managers|policy|policies|reset|field|hash\w*|rules?|strength|ring|prompt|"
    rb"store|vault|"
    rb"service|endpoint|generator|wallet|budget|count|limit|size|length|type|"
    rb"format)\b)\\??(?:[ ,]{1,2}[^\s:=\"'`.!?;|]{1,40}(?:\.[^\s:=\"'`.!?;|]{1,30}){0,4}){0,8}?[ ]{0,2}(?:"
    + _IS
    + rb"):?[ \t\n]{1,3}"
    + _FILLER
    + rb"("
    + _QUOTES
    + rb"{0,2})([^\s\"`]{4,300})",
    re.IGNORECASE,
)
#: What each verb has around it: RE2 says sooner that there is none.
_ANY_VERB: Final = compiled(rb"(?i)" + _IS + rb":?[ \t\n]")
_COLON: Final = re.compile(
    _BETWEEN
    + rb"[ ]{0,2}(?::|=|=>|-(?=[ ])|\xe2\x80\x93|\xef\xbc\x9a|\xe3\x81\xaf|\xe6\x98\xaf)\*{0,2}[ \t\n]{0,8}("
    + _QUOTES
    + rb"{0,2})([^\s\"`]{4,300})"
)
_DIRECT: Final = re.compile(_BETWEEN + rb"[ ,]{1,2}(" + _QUOTES + rb"{0,2})([^\s\"`]{4,300})")
_AS: Final = re.compile(
    rb"(?:\b(?:use|using|take|with|nimm|nutze|verwende|utilise|utilisez|usa|utiliza)|[\w,:])[ ]("
    + _QUOTES
    + rb"?)([^\s\"`]{6,300}?)"
    + _QUOTES
    + rb"?[ ](?:(?:as|for|als|comme|como|when|if|still|really)[ ](?:\w{1,12}[ ]){0,4}|\((?:the[ ])?)\Z",
    re.IGNORECASE,
)
_AS_WORD: Final = re.compile(rb" (?:(?:as|for|als|comme|como|when|if|still|really) |\((?:the )?\Z)")
_PAIR: Final = re.compile(
    rb"s?(?:[ ][^\s:=/]{1,40}){0,6}?[ ]?(?:(?<=[ ])(?:is|are|as|with|ist|est|es))?:?[ ]("
    + _QUOTES
    + rb"?)([\w.@+-]{2,60}?)\\?[\"'`]?"
    rb"(?:[ ]?[/|][ ]?|:[ ]?|,?[ ](?:with|and|mit|und|avec|et|con|y)[ ](?:the[ ])?)("
    + _QUOTES
    + rb"?)([^\s\"'`/]{6,200})",
    re.IGNORECASE,
)
_HALVES: Final = compiled(
    rb"(?i)\b(?:first|1st|erste[rn]?|premi(?:\xc3\xa8|e)re|primera)[ ](?:half|part|h(?:\xc3\xa4|"
    rb"ae)lfte|teil|moiti(?:\xc3\xa9|e)|partie|mitad|parte)"
    rb"[^\n\"'`]{0,60}?(?:[ ](?:is|ist|est|es)|:)[ ]?[\"'`]?([^\s\"'`,;]{4,200})[^\n]{0,30}?\s[^\n]{0,40}?"
    rb"\b(?:second|2nd|other|rest|zweite[rn]?|seconde?|deuxi(?:\xc3\xa8|e)me|segunda)\b[^\n\"'`:]{0,60}?"
    rb"(?:[ ](?:is|ist|est|es)|:)[ ]?[\"'`]?([^\s\"'`,;]{4,200})"
)
HEAD: Final = (
    rb"(?i)\|[ *]*(?:password|pw|pass|passwort|kennwort|mot de passe|contrase\xc3\xb1a|token|secret|"
    rb"api key|key)[ *]*(?:\||\r?\n)"
)
_HEADED: Final = compiled(HEAD)
_CELL: Final = re.compile(
    rb"(?i)^[ *]*(?:password|pw|pass|passwort|kennwort|mot de passe|contrase\xc3\xb1a|token|secret|"
    rb"api key|key)[ *]*$"
)
_PASSPHRASE: Final = re.compile(rb"[a-z]{3,12}(?:-[a-z]{3,12}){3,7}\Z")
#: Nouns of many things: what they name is a secret only if it is long.
_WEAK: Final = frozenset((b"key", b"keys", b"code"))
_WEAK_LENGTH: Final = 16
#: Letters alone are no secret if they are fewer; such a word behind a noun, and no sign between.
_WORD_BYTES: Final = 12
_WORD_NEXT: Final = re.compile(rb"[ ,]{1,2}[A-Za-z]{1,11}[,.;]?[ \n]")
_FIELD: Final = re.compile(rb"[A-Za-z][\w.-]{1,30}=")
ACCOUNT: Final = (
    rb"(?:([\w.+-]+@[\w-]+\.[\w.-]+)(?:[ ][|/;][ ]|[ ]?:[ ]|[:|;])|"
    rb"\b(admin|root|administrator|user|guest|demo|sa|postgres|deploy)[ ]/[ ]|"
    rb"\b(?:using|with|as|mit|avec|con)[ ]([\w.@+-]+):)([^\s\"'`]{6,})"
)
_ACCOUNT: Final = compiled(ACCOUNT)
HALF: Final = (
    rb"(?:[Ff]irst|1st|[Ee]rste[rn]?|[Pp]remi\xc3\xa8re|[Pp]rimera)[ ](?:half|part|[Hh]\xc3\xa4lfte|"
    rb"Teil|moiti|mitad|parte)"
)
_SIGN_OF_CHOICE: Final = re.compile(rb"[!#$%*^?~]")
_ENDS_IN_DIGITS: Final = re.compile(rb"[A-Za-z]+\d{2,}\Z")
_SIGN_OF_PASSWORD: Final = re.compile(rb"[!#$%&*+?^~]")
_AFTER: Final = re.compile(
    rb"(?:&(?:quot|lt|gt|#39|#34);|\\[nrt]|\\?[\"'`]|\xc2\xbb|\xe2\x80[\x98-\x9f\xba]|<|\|)"
)
#: How far behind the word a value can begin, and how long a table can be.
_REACH_BYTES: Final = 420
_NEAR_BYTES: Final = 200
_ROWS: Final = 200
_AHEAD_BYTES: Final = 1_000


class _Ahead:
    """Whether a pattern matches soon behind a position; positions ascend, so one match serves many."""

    def __init__(self, pattern: re2._Regexp, data: bytes) -> None:
        self._pattern, self._data = pattern, data
        self._start = self._end = 0

    def within(self, at: int, reach: int) -> bool:
        """Return whether a match that ends behind a position begins before the end of so many bytes."""
        if at >= self._end:
            match = self._pattern.search(self._data, at, at + reach + _AHEAD_BYTES)
            nothing = at + reach + _AHEAD_BYTES, at + _AHEAD_BYTES
            self._start, self._end = match.span() if match is not None else nothing
        return self._start < at + reach


class Sentences:
    """The sentences of a text, asked in its order. Only near a word with digits or signs is a secret."""

    def __init__(self, data: bytes, *, log: bool = False) -> None:
        self._data, self._log = data, log
        self._signed, self._verbs = _Ahead(_SIGNED, data), _Ahead(_ANY_VERB, data)

    def secret(self, start: int, end: int) -> Candidate | None:
        """Return the secret that the noun at a position gives away, or nothing."""
        data = self._data
        inside = start and data[start - 1] in _INSIDE and data[start - 2 : start] not in _BREAKS
        if inside or (end < len(data) and data[end] in _ONWARD):
            return None
        noun = data[start:end]
        if data[max(0, start - 7) : start].lower() == b"public ":
            return None
        if self._signed.within(end, _NEAR_BYTES):
            found = _paired(data, noun, end) or self._told(noun, end)
            if found is not None:
                return found
        if _AS_WORD.search(data, max(0, start - 40), start) and _SIGNED.search(
            data, max(0, start - _REACH_BYTES), start
        ):
            match = _AS.search(data, max(0, start - 360), start)
            if match is not None:
                return next(_value(match.group(2), match.start(2), noun, bool(match.group(1)), 0.8), None)
        return None

    def _told(self, noun: bytes, at: int) -> Candidate | None:
        """Return the secret that follows a noun, directly or behind a verb."""
        data, end = self._data, at + _REACH_BYTES
        word = _WORD_NEXT.match(data, at) is not None
        verb = self._verbs.within(at, _REACH_BYTES)
        for pattern, confidence, wanted in (
            (_COLON, 0.86, not word),
            (_VERB, 0.84, verb),
            (_DIRECT, 0.78, not word),
        ):
            match = pattern.match(data, at, end) if wanted else None
            direct = pattern is _DIRECT
            if match is None or (direct and self._log):
                continue
            quoted = bool(match.group(1)) and match.group(1).strip() not in (b"**", b"*")
            found = next(
                _value(match.group(2), match.start(2), noun, quoted, confidence, direct=direct), None
            )
            if found is not None:
                return found
        return None


def _paired(data: bytes, noun: bytes, end: int) -> Candidate | None:
    """Return the password of `login: ana / ...`."""
    match = _PAIR.match(data, end, end + _REACH_BYTES) if _LOGINS.search(noun) else None
    if match is None:
        return None
    value, start = _trimmed(match.group(4), match.start(4))
    user = match.group(2)
    if term(user) and b":" in value:
        # The name was a host: `creds for db.corp: ana:...`.
        user, _, rest = value.partition(b":")
        value, start = rest, start + len(value) - len(rest)
    quoted = bool(match.group(3))
    if not _plausible(value, b"login", quoted=quoted) or (term(user) and b"@" not in user):
        return None
    between = data[match.end(2) : match.start(3)]
    if not quoted and between.strip(b" ,\"'`").isalpha() and not _chosen(value):
        return None
    return Candidate(
        "login-in-prose", "password", start, start + len(value), value, 0.82, user.decode(errors="replace")
    )


def _chosen(value: bytes) -> bool:
    """Return whether a value behind a mere `and` or `with` looks like a password, and no name of code."""
    return b"::" not in value and (
        random_like(value)
        or _SIGN_OF_CHOICE.search(value) is not None
        or _ENDS_IN_DIGITS.match(value) is not None
    )


def secrets_of_lists(data: bytes) -> Iterator[Candidate]:
    """Yield the secrets in tables and lists of accounts."""
    if b"|" in data:
        yield from _tables(data)
    for match in _ACCOUNT.finditer(data):
        value, start = _trimmed(match.group(4), match.start(4))
        if (
            _plausible(value, b"password", quoted=False)
            and b"/" not in value
            and b"@" not in value
            and (random_like(value) or data[start - 1 : start] == b" " or _SIGN_OF_PASSWORD.search(value))
        ):
            user = (match.group(1) or match.group(2) or match.group(3)).decode(errors="replace")
            yield Candidate("login-in-prose", "password", start, start + len(value), value, 0.8, user)


def secrets_in_halves(data: bytes) -> Iterator[Candidate]:
    """Yield the secrets of which a sentence tells one half after the other."""
    for match in _HALVES.finditer(data):
        one, _ = _trimmed(match.group(1), 0)
        two, _ = _trimmed(match.group(2), 0)
        if _half(one) and _half(two):
            end = match.start(2) + len(two)
            yield Candidate("split-secret", "token", match.start(1), end, one + two, 0.83)


def _half(value: bytes) -> bool:
    return not placeholder(value) and (password_like(value) or commonness(value) < 4.8) and not term(value)


def _value(
    value: bytes, start: int, noun: bytes, quoted: bool, confidence: float, *, direct: bool = False
) -> Iterator[Candidate]:
    value, start = _trimmed(value, start)
    if len(value) < _WORD_BYTES and value.isalpha():
        return  # A word, and by far the most of what follows a noun.
    if _plausible(value, noun, quoted=quoted) and not (direct and not quoted and not _striking(value)):
        rule = "password-in-prose" if _PASSWORD.search(noun) else "token-in-prose"
        kind = "password" if rule == "password-in-prose" else kind_of(noun)
        yield Candidate(rule, kind, start, start + len(value), value, confidence)


def _striking(value: bytes) -> bool:
    """Return whether a value needs no verb to be taken for a secret."""
    return random_like(value) or (sum(48 <= b <= 57 for b in value) >= 1 and len(value) >= 7)


def _trimmed(value: bytes, start: int) -> tuple[bytes, int]:
    """Return a value without the quotes and marks of its sentence."""
    stop = _AFTER.search(value, 1)
    if stop is not None:
        value = value[: stop.start()]
    cut = value.lstrip(b"\"'`*([{<")
    start += len(value) - len(cut)
    end = cut.rstrip(b".,;:)]}>'?\\")
    return end.removesuffix(b"**"), start


def _plausible(value: bytes, noun: bytes, *, quoted: bool) -> bool:
    """Return whether a value in a sentence is a secret, and no word, number, name or address."""
    if quoted and _PASSPHRASE.match(value) and _PASSWORD.search(noun):
        return True
    if (
        len(value) < 6
        or placeholder(value)
        or identifier(value)
        or term(value)
        or uuid(value)
        or expression(value)
    ):
        return False
    if b"://" in value or b"(" in value or value.startswith((b"@", b"$", b"%")) or _FIELD.match(value):
        return False
    if value.startswith(b"-") and not random_like(value):
        return False
    if value.isdigit():
        return False
    password = _PASSWORD.search(noun) is not None
    if hexadecimal(value):
        return len(value) >= 20 and noun.lower() not in (b"key", b"keys", b"code")
    if noun.lower() in _WEAK and len(value) < _WEAK_LENGTH:
        return False
    if random_like(value) and (not word_like(value) or sum(48 <= b <= 57 for b in value) >= 3):
        return True
    if not password:
        return False
    if re.fullmatch(rb"[a-z]+(?:[_-][a-z0-9]+)*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", value) and not (
        quoted and any(48 <= b <= 57 for b in value)
    ):
        return bool(re.fullmatch(rb"[a-z]{3,}\d{1,4}[a-z0-9]*", value))
    return password_like(value) and (
        any(48 <= b <= 57 for b in value) or any(b in b"!#$%^&*+?~" for b in value[:-1])
    )


def _tables(data: bytes) -> Iterator[Candidate]:
    """Yield the values of the columns of a Markdown table that are headed as secrets."""
    after = 0
    for match in _HEADED.finditer(data):
        if match.start() < after:
            continue
        begin, after = data.rfind(b"\n", 0, match.start()) + 1, data.find(b"\n", match.end() - 1)
        if after < 0:
            return
        cells = data[begin:after].split(b"|")
        wanted = [number for number, cell in enumerate(cells) if _CELL.match(cell)]
        at = after + 1
        for _ in range(_ROWS if wanted else 0):
            end = data.find(b"\n", at)
            line = data[at : end if end >= 0 else len(data)]
            row = line.split(b"|")
            if len(row) != len(cells):
                break
            for number in wanted:
                start = at + sum(map(len, row[:number])) + number
                cell = row[number]
                start += len(cell) - len(cell.lstrip())
                yield from _value(cell.strip(), start, cells[number].strip(), False, 0.82)
            if end < 0:
                return
            at = after = end + 1
