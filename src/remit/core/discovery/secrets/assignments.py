# SPDX-License-Identifier: Apache-2.0
"""Values with a name: in JSON, YAML, TOML, `.env`, code, headers, flags and arguments of programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from remit.core.discovery.secrets.candidates import Candidate
from remit.core.discovery.secrets.placeholders import (
    expression,
    hexadecimal,
    identifier,
    placeholder,
    term,
    uuid,
)
from remit.core.discovery.secrets.provider_tokens import compiled, decoded_base64
from remit.core.discovery.secrets.randomness import password_like, random_like, word_like

#: Parts of names that hold secrets, in lower case and bytes of UTF-8.
WORDS: Final = (
    rb"pass-?w(?:or)?d|p@ss(?:w(?:or|0r)d)?|p4ssw0rd|requirepass|masterauth|passwort|passphrase|passcode|pwd|"
    rb"kennwort|contrase(?:\xc3\xb1|n)a|mot_?de_?passe|mdp|senha|clave|secret|token|credential|"
    rb"(?:api|access|account|private|signing|encryption|master|service|auth|subscription|license|storage|x|host|"
    rb"admin|project|deploy|write|read|openai|anthropic|maps|crypt)[_-]?key|\w_key\b|"
    rb"webhook|_pass\b|_pw\b|\bpass\b|\bpw\b|\bauth\b|_auth\b|bearer|authorization|cookie|session_?id"
)
#: Words of more languages: only a text that is not ASCII is searched for them.
WORDS_WIDE: Final = (
    "密码|密碼|口令|パスワード|비밀번호|пароль|Пароль|lösenord|adgangskode|passord|salasana|heslo|şifre|jelszó|parolă"
).encode()
_QUOTE: Final = rb"(?:\\{0,3}[\"'`])"
_TAIL: Final = re.compile(
    rb"([\w-]{0,30}+)" + _QUOTE + rb"?[\])]{0,2}[ \t]{0,8}"
    rb"(?:(?::[ \t]{0,3}[A-Za-z_][\w.<>?|\[\]]{0,30}[ \t]{0,3}|:{2,3}|[?.]|(?:string|\[\]byte)[ \t]{1,3})?"
    rb"=(?!=)>?|:=|:|->|>|\(|,[ \t]?)[ \t]{0,12}"
    rb"((?:[|>][+-]?[ ]{0,2}\n[ ]{1,16})?(?:&?[\w.]{1,40}\((?:"
    + _QUOTE
    + rb"\w{1,60}"
    + _QUOTE
    + rb",[ \t]{0,2})?)?"
    rb"(?:[bfruBFRU]{1,2}(?=[\"'`]))?(?:" + _QUOTE + rb"){0,3})(?=[^\s\"'`\\])"
)
_FLAG_TAIL: Final = re.compile(
    rb"([\w-]{0,12}+)(?:=|[ \t]{1,4}|" + _QUOTE + rb"[ \t]{0,2},?\s{0,8})(" + _QUOTE + rb"?)(?=[^\s\"'`\\-])"
)
_ENTRY_TAIL: Final = re.compile(
    rb"(?i)([\w-]{0,20}+)"
    + _QUOTE
    + rb"?,?\s{1,24}"
    + _QUOTE
    + rb"?value"
    + _QUOTE
    + rb"?\s?[:=]\s{0,3}("
    + _QUOTE
    + rb"?)(?=[^\s\"'`\\])"
)
_NAME_OF_ENTRY: Final = re.compile(rb"(?i)(?:name|key)[\"']?\s?[:=]")
#: How a name of small letters may go on behind the word; in `keyring` or `passwordless` it is another word.
_GOES_ON: Final = re.compile(
    rb"(?:s|value|string|text|data|prod|dev|stage|staging|test|live|default|new|old|file|path)\b|s?_"
)
_HEADER_TAIL: Final = re.compile(
    rb"(?i)[\"'\\\])]{0,4}\s{0,2}[:=,]\s{0,2}[\"'`\\f]{0,4}(?:([A-Za-z][\w-]{2,20})[ =])?"
    rb"([^\s\"'`\\,;<>{}()]{6,4000})"
)
_BEARER_TAIL: Final = re.compile(rb"[ ]([\w.~+/=-]{16,8000})")
_COOKIE_TAIL: Final = re.compile(rb"[\"'\\]{0,3}\s?[:=]\s?[\"'\\]{0,3}([^\n\"'\\]{8,800})")
_CRUMB: Final = re.compile(rb"([\w.-]{1,60})=([^;\s]{16,800})")
_USER_FLAG: Final = compiled(rb"[\s\"'](?:-u|--user)[ =\"',\\]+([^\s:\"'\\]*)[\"']?:[\"']?([^\s\"'\\]{3,})")
_SHORT: Final = compiled(rb"\s(?:-p|-a|--pass)[ =]?[\"']?([^\s\"'\\-][^\s\"'\\]{3,})")
_SIGNS_IN: Final = compiled(rb"(?:uth|ogin|og_?in|ign_?in|onnect|redential)[A-Za-z0-9_]*\s?(?:=\s?)?\([^)]")
#: What a call that signs in, and what a program that takes a password, has.
CALL: Final = rb"(?:uth|ogin|og_?in|ign_?in|onnect|redential)[A-Za-z0-9_]*\s?(?:=\s?)?\("
PROGRAM: Final = rb"curl|wget|mysql|maria|sshpass|twine|docker|podman|helm|smbclient|\baz |redis-cli|mongo"
_POSITIONAL: Final = re.compile(
    rb"[^()\n]{0,160}?[\"']([\w.@+-]{1,80})[\"'],\s{0,8}[\"']([^\s\"'\\]{6,128})[\"']\s{0,8}[),]"
)
_NETRC: Final = compiled(rb"\blogin\s+(\S+)\s+password\s+(\S{4,})")
_PGPASS: Final = compiled(rb"(?m)^[\w.*-]+:(?:\d+|\*):[^:\s]+:([^:\s]+):([^\s:]{4,})$")
#: A `.pgpass` is a small file.
_SMALL_BYTES: Final = 20_000
_CALLERS: Final = re.compile(rb"\b(?:curl|wget)\b")
_PROGRAMS: Final = re.compile(
    rb"\b(mysql|mysqldump|mariadb|mysqladmin|sshpass|twine upload|docker login|podman login|"
    rb"helm registry login|smbclient|"
    rb"az login|redis-cli|mongosh?|mongodump)\b"
)
#: Code without quotes: a bracket, a path of names, the name of a type.
_CODE: Final = re.compile(
    rb"[()\[\]{}]|\A[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z|\A[A-Z]\w*(?:Key|Token|Secret|Password|Credentials?)\Z"
)
#: A word behind these is a part of a name: of a resource (`arn:aws:...:123456789012:secret:x`) or a type.
_APART: Final = re.compile(rb"(?:::|:\d{12}:)[A-Za-z]{0,30}\Z")
#: How far before a flag its program stands.
_LINE_BYTES: Final = 400

#: Ends of names whose values are no secret.
_OTHER: Final = re.compile(
    rb"(?i)(?:^|[_.-]|(?<=[a-z]))(?:file|path|dir|url|uri|endpoint|id|ids|name|names|ttl|type|types|"
    rb"field|fields|policy|length|"
    rb"len|hash|hashed|kind|header|count|counts|ref|refs|expires|expiry|exp|expiration|lifetime|age|"
    rb"tokenizer|env|var|variable|"
    rb"prefix|suffix|hint|label|placeholder|public|reset|status|state|version|format|regex|pattern|"
    rb"min|max|limit|limits|budget|"
    rb"usage|used|tokens|algorithm|alg|provider|manager|store|class|error|message|title|text|"
    rb"description|digest|checksum|"
    rb"fingerprint|enabled|required|strength|index|position|list|map|in|out|at|on|is|has|options|"
    rb"args|scopes?|mode|method|"
    rb"issuer|audience|created|updated|rotation|source|location|arn|group|role|owner|key_?id|parser|"
    rb"handler|service|client|"
    rb"context|input|output|test|tests|spec|schema|model|doc|docs|help|example|event|events|template|"
    rb"strategy|vault|re|regexp?|enc|mgr|sec|secs|seconds|minutes|hours|days|ms)$"
)
_COUNTS: Final = re.compile(
    rb"(?i)(?:max|min|num|total|input|output|prompt|completion|cache\w*|reasoning|"
    rb"cached)_?-?tokens?$|tokeniz|"
    rb"csrf|xsrf|(?:cache|idempotency|dedupe?|foreign|primary|sort|partition|object|group|row)_?-?key|authenticity|public_?-?token|next_?(?:page|token)|client_?request_?token|page_?token|continuation|cursor|sync_?token|"
    rb"cancell?ation|public_?key|"
    rb"publishable|pagination|placeholder|i18n|design_?token|sha\d|md5|hash"
)
_PASSWORDS: Final = re.compile(
    rb"(?i)pass|pwd|_pw|\bpw|kennwort|contrase|mot_?de_?passe|mdp|senha|clave|(?:db|database|smtp|"
    rb"mail|root|admin)_?secret"
)
_STRONG: Final = re.compile(rb"(?i)pass|pwd|secret|token|key|kennwort|auth|bearer|credential")
_NESTED: Final = re.compile(rb"(?i)^(?:bearer|basic|token|apikey|key)[ +]")
#: The next field of a query, a connection string, a list.
_NEXT: Final = re.compile(rb"(?:&|%26|&amp;)[A-Za-z][\w.-]*=|;[A-Za-z][\w.-]*(?:=|$)|,[A-Za-z][\w.-]*[=:]")
_BARE: Final = re.compile(rb"[^\s\"'`<>\\]+")
_KNOWN: Final = re.compile(
    rb"(?i)(openai|anthropic|github|gitlab|slack|stripe|aws|azure|google|gcp|postgres|mysql|mongo|"
    rb"redis|smtp|mail|twilio|"
    rb"sendgrid|telegram|discord|jira|confluence|notion|linear|datadog|sentry|npm|pypi|docker|"
    rb"hugging_?face|hf|"
    rb"databricks|snowflake|vault|okta|auth0|jwt|session|ldap|ssh|vpn|wifi|amqp|rabbit|kafka|elastic|"
    rb"clickhouse)"
)
#: Values are at most so long.
VALUE_BYTES: Final = 8_192
#: Without quotes they are shorter, so that a text without blanks is not read again for each of its words.
_BARE_BYTES: Final = 1_024


def may_be_assigned(data: bytes, start: int, end: int) -> bool:
    """Return whether the word at a position may name a value; most words of a sentence do not."""
    if _NO_SIGN.match(data, end) is not None:
        return False
    if data[start - 1 : start] != b" " or _IN_SENTENCE.match(data, end) is None:
        return True
    return b"alue" in data[end : end + 64] or data[start:end].lower() == b"bearer"


#: No sign follows, only the next word: with a blank before it, the word is neither a flag nor a name.
_IN_SENTENCE: Final = re.compile(rb"[\w-]{0,12}+[ \t]{1,4}(?!string[ \t]{1,3}=)[A-Za-z0-9]")
#: What follows a name can open no value.
_NO_SIGN: Final = re.compile(rb"[\w-]{0,30}+(?![?.]=)[^\w\s\"'`\\\])(:=,>-]")


def assigned_secrets(data: bytes, start: int, end: int, *, code: bool) -> Iterator[Candidate]:
    """Yield the secrets behind the word at a position: in a value, a flag, an entry or a header."""
    word = data[start:end].lower()
    if (
        end < len(data)
        and 97 <= data[end] <= 122
        and 97 <= data[end - 1] <= 122
        and not _GOES_ON.match(data, end)
    ):
        return
    if word == b"bearer":
        yield from _borne(_BEARER_TAIL.match(data, end, end + VALUE_BYTES), b"bearer", 1)
        return
    if word == b"authorization":
        yield from _of_header(data, end)
        return
    if word == b"cookie":
        yield from _of_cookies(data, end)
    match = _TAIL.match(data, end, end + _TAIL_BYTES)
    flag = False
    if match is None:
        near = data[end : end + 64]
        if b"alue" in near and _NAME_OF_ENTRY.search(data, max(0, start - 60), start):
            match = _ENTRY_TAIL.match(data, end, end + _TAIL_BYTES)
        elif data[max(0, start - 32) : start].rstrip(_NAME_BYTES)[-1:] in (
            b" ",
            b'"',
            b"'",
            b"\n",
            b"\t",
            b"",
        ):
            flag = True
            match = _FLAG_TAIL.match(data, end, end + _TAIL_BYTES)
    if match is None:
        yield from _spaced(data, start, end, word)
        return
    before = data[max(0, start - 48) : start]
    if _APART.search(before) is not None:
        return
    name = before[len(before.rstrip(_NAME_BYTES)) :] + data[start : match.end(1)]
    if flag and not name.startswith(b"-"):
        return
    opened = match.group(2)
    sign = data[match.end(1) : match.start(2)].strip()
    if sign == b">" and data[max(0, match.start(1) - 60) : match.end(1)].rpartition(b"<")[2].strip(
        _NAME_BYTES
    ):
        return
    value, at = _value_at(data, match.end(), opened)
    quoted = opened[-1:] in (b'"', b"'", b"`")
    if not quoted and sign.endswith((b"(", b",")):
        return
    yield from _judged(name, value, at, quoted=quoted, code=code and not flag)


def _spaced(data: bytes, start: int, end: int, word: bytes) -> Iterator[Candidate]:
    """Yield the value behind a name and blanks alone, as in `ENV NAME value`."""
    match = _SPACED_TAIL.match(data, end, end + _TAIL_BYTES)
    if match is None:
        return
    begin = data.rfind(b"\n", max(0, start - 64), start) + 1
    line = data[begin:start].rstrip(_NAME_BYTES).strip()
    if line.lower() in (b"", b"env", b"arg", b"set", b"setenv") and random_like(match.group(2)):
        name = [*data[begin:start].split()[-1:], data[start : match.end(1)]]
        yield from _judged(b"".join(name), match.group(2), match.start(2), quoted=False, code=False)


_SPACED_TAIL: Final = re.compile(rb"([\w-]{0,20}+)[ \t]{1,4}([^\s\"'`]{8,200})[ \t]*$", re.MULTILINE)
#: A name, the sign behind it and what opens its value are at most so long.
_TAIL_BYTES: Final = 240
_NAME_BYTES: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$"


def named_secret(name: str, text: str) -> Candidate | None:
    """Return the secret that is the whole value of a key, or nothing."""
    value = text.strip().encode("utf-8", "surrogatepass")
    if not value or len(value) > VALUE_BYTES or b"\n" in value or not _holds(name.encode("utf-8", "replace")):
        return None
    start = len(text.encode("utf-8", "surrogatepass")) - len(text.lstrip().encode("utf-8", "surrogatepass"))
    return next(_judged(name.encode("utf-8", "replace"), value, start, quoted=True, code=False), None)


_HOLDS: Final = compiled(rb"(?i)" + WORDS + rb"|^pass$|^pw$|^auth$")


def _holds(name: bytes) -> bool:
    return _HOLDS.search(name) is not None


def _value_at(data: bytes, at: int, opened: bytes) -> tuple[bytes, int]:
    """Return the value that begins at a position behind the opening quote, and where it begins."""
    quote = opened[-1:] if opened[-1:] in (b'"', b"'", b"`") else b""
    if quote:
        end = data.find(quote, at, at + VALUE_BYTES)
        line = data.find(b"\n", at, end if end >= 0 else at + VALUE_BYTES)
        if end < 0 or line >= 0:
            return b"", at
        return data[at:end].rstrip(b"\\"), at
    found = _BARE.match(data, at, at + _BARE_BYTES)
    if found is None:
        return b"", at
    value = found.group()
    if value.endswith((b"...", b"\xe2\x80\xa6")):
        return b"", at
    stop = _NEXT.search(value)
    if stop is not None:
        value = value[: stop.start()]
    return value.rstrip(b",;)]}.:|"), at


def _judged(name: bytes, value: bytes, start: int, *, quoted: bool, code: bool) -> Iterator[Candidate]:
    """Yield a value as a secret if its name and its form say so."""
    if not value or _COUNTS.search(name) or (_other(name) and not random_like(value)):
        return
    end = start + len(value)
    scheme = _NESTED.match(value)
    if scheme is not None:
        start += scheme.end()
        value = value[scheme.end() :]
        if scheme.group().lower().startswith(b"basic"):
            yield from basic(value, start)
            return
    if b"://" in value or (b" " in value.strip() and not _PASSWORDS.search(name)):
        return
    if name.lower().rpartition(b"_")[2] in (b"auth", b"basic"):
        yield from basic(value, start)
        return
    inner = _decoded(name, value)
    if not secret_value(name, inner, quoted=quoted, code=code):
        return
    confidence = 0.9 if random_like(value) else 0.8
    yield Candidate("assigned-secret", kind_of(name), start, end, inner, confidence)


def _decoded(name: bytes, value: bytes) -> bytes:
    """Return what the base64 of a password says, as Kubernetes stores it; other values as they are."""
    if len(value) < 8 or len(value) % 4 or not _PASSWORDS.search(name):
        return value
    decoded = decoded_base64(value)
    return decoded if _printable(decoded) and password_like(decoded) else value


def secret_value(name: bytes, value: bytes, *, quoted: bool, code: bool) -> bool:
    """Return whether a value behind such a name is a secret."""
    if placeholder(value) or (identifier(value) and not uuid(value)) or term(value):
        return False
    if not quoted and (expression(value) or (code and _CODE.search(value) is not None)):
        return False
    if _other(name):
        return False
    if uuid(value):
        return (
            re.search(rb"(?i)(?:api_?-?key|client_?-?secret|secret_?-?key|password|auth_?-?token)$", name)
            is not None
        )
    if hexadecimal(value):
        return (
            len(value) >= 16 and any(b in b"abcdefABCDEF" for b in value) and _STRONG.search(name) is not None
        )
    if random_like(value) and (not word_like(value) or _digits(value) >= 3):
        return True
    if not _PASSWORDS.search(name):
        return (
            8 <= len(value) <= 40
            and password_like(value)
            and not word_like(value)
            and not (code and not quoted)
            and (_digits(value) >= 2 and b" " not in value and b"/" not in value)
        )
    if (b" " in value and not quoted) or value.count(b" ") > 5:
        return False
    if code and not quoted:
        return password_like(value) and any(b in b"!#$%^&*+?" for b in value) and _digits(value) > 0
    return (
        password_like(value)
        and _digits(value) + _signs(value) > 0
        and b": " not in value
        and not _sentence(value)
    )


@lru_cache(maxsize=4096)
def _other(name: bytes) -> bool:
    """Return whether a name ends in a word that makes its value no secret; names repeat."""
    return _OTHER.search(name) is not None


def _sentence(value: bytes) -> bool:
    return value.count(b" ") >= 1 and word_like(value)


def _digits(value: bytes) -> int:
    return sum(48 <= b <= 57 for b in value)


def _signs(value: bytes) -> int:
    return sum(b in b"!#$%&*+?^~@" for b in value)


def _printable(value: bytes) -> bool:
    return bool(value) and all(32 <= b < 127 for b in value.rstrip(b"\n"))


def kind_of(name: bytes) -> str:
    """Return what a secret opens, as far as its name tells: a provider, or `password`, `token`, `key`."""
    known = _KNOWN.search(name)
    if known is not None:
        return known.group(1).lower().decode().replace("_", "-")
    if _PASSWORDS.search(name):
        return "password"
    return "token" if b"oken" in name or b"OKEN" in name else "key"


def basic(value: bytes, start: int) -> Iterator[Candidate]:
    """Yield the password in the base64 of `user:password`."""
    decoded = decoded_base64(value)
    user, colon, password = decoded.partition(b":")
    if colon and user and len(password) >= 3 and _printable(decoded) and not placeholder(password):
        yield Candidate(
            "basic-authorization",
            "http",
            start,
            start + len(value),
            password,
            0.95,
            user.decode(errors="replace"),
        )


def _borne(match: re.Match[bytes] | None, scheme: bytes, group: int) -> Iterator[Candidate]:
    """Yield the token behind a scheme of authorization."""
    if match is None:
        return
    value, start = match.group(group).rstrip(b"."), match.start(group)
    if scheme == b"basic":
        yield from basic(value, start)
    elif (
        not placeholder(value)
        and not expression(value)
        and not term(value)
        and (random_like(value) or (hexadecimal(value) and len(value) >= 16) or uuid(value))
    ):
        yield Candidate("bearer-token", "http", start, start + len(value), value, 0.92)


def _of_header(data: bytes, end: int) -> Iterator[Candidate]:
    match = _HEADER_TAIL.match(data, end, end + VALUE_BYTES)
    if match is not None:
        yield from _borne(match, (match.group(1) or b"").lower(), 2)


def _of_cookies(data: bytes, end: int) -> Iterator[Candidate]:
    match = _COOKIE_TAIL.match(data, end, end + VALUE_BYTES)
    for crumb in _CRUMB.finditer(match.group(1)) if match is not None else ():
        value = crumb.group(2)
        if (
            random_like(value)
            and not placeholder(value)
            and not uuid(value)
            and not _COUNTS.search(crumb.group(1))
        ):
            start = match.start(1) + crumb.start(2) if match is not None else 0
            yield Candidate("cookie", "http", start, start + len(value), value, 0.85)


def arguments_of_programs(data: bytes) -> Iterator[Candidate]:
    """Yield the passwords in short flags of programs that are known to take them: `curl -u`, `mysql -p`."""
    if b"curl" in data or b"wget" in data:
        for match in _USER_FLAG.finditer(data):
            user, value = match.group(1), match.group(2)
            if (
                not placeholder(value)
                and not placeholder(user)
                and value.lower() not in (b"pass", b"password", user.lower())
                and _called(data, match.start(), _CALLERS)
            ):
                start = match.start(2)
                yield Candidate(
                    "argument-password",
                    "http",
                    start,
                    start + len(value),
                    value,
                    0.92,
                    user.decode(errors="replace"),
                )
    if b" -p" in data or b" -a" in data or b"--pass" in data:
        for match in _SHORT.finditer(data):
            value = match.group(1)
            program = _called(data, match.start(), _PROGRAMS)
            if (
                program
                and not placeholder(value)
                and (password_like(value) or random_like(value))
                and not term(value)
            ):
                start = match.start(1)
                kind = "mysql" if program.startswith((b"mysql", b"maria")) else "password"
                yield Candidate("argument-password", kind, start, start + len(value), value, 0.9)


def passwords_of_calls(data: bytes) -> Iterator[Candidate]:
    """Yield the passwords that follow a user in the arguments of a call that signs in."""
    for call in _SIGNS_IN.finditer(data):
        match = _POSITIONAL.match(data, call.end() - 1, call.end() + _LINE_BYTES)
        if match is not None and _chosen(match.group(2)):
            yield _by_position(match, "password")


def passwords_of_lines(data: bytes) -> Iterator[Candidate]:
    """Yield the passwords that their position in a line tells, as in `.netrc` and `.pgpass`."""
    if b"login" in data:
        for match in _NETRC.finditer(data):
            if not placeholder(match.group(2)) and password_like(match.group(2)):
                yield _by_position(match, "password")
    if len(data) < _SMALL_BYTES and data.count(b":") >= 4:
        for match in _PGPASS.finditer(data):
            if not placeholder(match.group(2)):
                yield _by_position(match, "postgresql")


def _chosen(value: bytes) -> bool:
    return (
        password_like(value)
        and _digits(value) > 0
        and not (placeholder(value) or term(value) or identifier(value) or uuid(value) or b"://" in value)
    )


def _by_position(match: re.Match[bytes], kind: str) -> Candidate:
    start, end = match.span(2)
    user = match.group(1).decode(errors="replace")
    return Candidate("password-by-position", kind, start, end, match.group(2), 0.88, user)


def _called(data: bytes, at: int, programs: re.Pattern[bytes]) -> bytes:
    """Return the program of the command whose flag stands at a position, if it is one of these."""
    line = data[max(0, at - _LINE_BYTES) : at].replace(b"\\\n", b"  ")
    for end in (b"\n", b"|", b";"):
        line = line.rpartition(end)[2]
    found = programs.search(line)
    return found.group() if found is not None else b""
