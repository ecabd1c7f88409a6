# SPDX-License-Identifier: Apache-2.0
"""Values with a name: in JSON, YAML, TOML, `.env`, code, headers, flags and arguments of programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_WORDS: Final = (
    rb"passw(?:or)?d|passwort|passphrase|passcode|pwd|kennwort|contrase(?:\xc3\xb1|n)a|mot_?de_?passe|mdp|senha|clave|"
    rb"secret|token|credential|api_?-?key|access_?-?key|account_?-?key|private_?-?key|signing_?-?key|"
    rb"encryption_?-?key|master_?-?key|service_?-?key|auth_?-?key|shared_?access_?key|subscription_?-?key|license_?-?key|"
    rb"webhook|_pass|_pw|\bpass|\bpw|\bauth|_auth|\bsig|storage_?-?key|bearer|cookie|session_?id|x-key"
)
_QUOTE: Final = rb"(?:\\{0,3}[\"'`])"
_NAMED: Final = compiled(
    rb"(?i)([\w.$-]{0,48}(?:" + _WORDS + rb")[\w-]{0,30})" + _QUOTE + rb"?[\])]{0,2}[ \t]{0,8}"
    rb"(?:(?::[ \t]{0,3}[a-z_][\w.<>?|\[\]]{0,30}[ \t]{0,3})?=>?|:=|:|=|->|[=:]\\u003d|"
    rb"\(|,[ \t]?)[ \t]{0,12}"
    rb"((?:&?[\w.]{1,40}\((?:" + _QUOTE + rb"\w{1,60}" + _QUOTE + rb",[ \t]{0,2})?)?"
    rb"(?:[bfru]{1,2})?(?:" + _QUOTE + rb"){0,3})[^\s\"'`\\]"
)
_FLAG: Final = compiled(
    rb"(?i)(?:^|[\s\"'])--?([\w-]{0,30}(?:password|passwd|passphrase|token|secret|api-?key|access-?key|apikey|pass)[\w-]{0,12})"
    rb"(?:=|[ \t]{1,4}|" + _QUOTE + rb"[ \t]{0,2},?\s{0,8})(" + _QUOTE + rb"?)[^\s\"'`\\-]"
)
_ENTRY: Final = compiled(
    rb"(?i)name" + _QUOTE + rb"?\s?[:=]\s{0,3}" + _QUOTE + rb"?([\w.-]{0,40}(?:" + _WORDS + rb")[\w-]{0,20})" + _QUOTE
    + rb"?,?\s{1,24}" + _QUOTE + rb"?value" + _QUOTE + rb"?\s?[:=]\s{0,3}(" + _QUOTE + rb"?)[^\s\"'`\\]"
)
_HEADER: Final = compiled(
    rb"(?i)(?:authorization|proxy-authorization)[\"'\\\])]{0,4}\s{0,2}[:=,]\s{0,2}[\"'`\\f]{0,4}(bearer|basic|token|apikey|key)"
    rb"[ =]([^\s\"'`\\,;<>{}()]{6,})|\b(bearer)[ ]([\w.~+/=-]{16,})"
)
_COOKIE: Final = compiled(rb"(?i)(?:set-)?cookie[\"'\\]{0,3}\s?[:=]\s?[\"'\\]{0,3}([^\n\"'\\]{8,})")
_CRUMB: Final = re.compile(rb"([\w.-]{1,60})=([^;\s]{16,})")
_USER_FLAG: Final = compiled(
    rb"(?:\bcurl\b|\bwget\b|\bhttp\b|\bxh\b)[^\n|;]{0,400}?[\s\"'](?:-u|--user)[ =\"',]{1,4}([^\s:\"'\\]{1,80}):([^\s\"'\\]{3,200})"
)
_MYSQL: Final = compiled(rb"\b(?:mysql|mysqldump|mariadb|mysqladmin)\b[^\n|;&]{0,200}?\s-p([^\s\"'\\]{4,128})")
_SHORT: Final = compiled(
    rb"\b(?:sshpass|twine upload|docker login|podman login|helm registry login|smbclient|az login|redis-cli|mongosh?|mongodump)\b"
    rb"[^\n|;&]{0,200}?\s(?:-p|-a|--pass)[ =]?[\"']?([^\s\"'\\-][^\s\"'\\]{3,300})"
)

#: Ends of names whose values are no secret.
_OTHER: Final = re.compile(
    rb"(?i)(?:^|[_.-]|(?<=[a-z]))(?:file|path|dir|url|uri|endpoint|id|ids|name|names|ttl|type|types|field|fields|policy|length|"
    rb"len|hash|hashed|kind|header|count|counts|ref|refs|expires|expiry|exp|expiration|lifetime|age|tokenizer|env|var|variable|"
    rb"prefix|suffix|hint|label|placeholder|public|reset|status|state|version|format|regex|pattern|min|max|limit|limits|budget|"
    rb"usage|used|tokens|algorithm|alg|provider|manager|store|class|error|message|title|text|description|digest|checksum|"
    rb"fingerprint|enabled|required|strength|index|position|list|map|in|out|at|on|is|has|options|args|scopes?|mode|method|"
    rb"issuer|audience|created|updated|rotation|source|location|arn|group|role|owner|key_?id|parser|handler|service|client|"
    rb"context|input|output|test|tests|spec|schema|model|doc|docs|help|example|event|events|template|strategy|vault)$"
)
_COUNTS: Final = re.compile(rb"(?i)(?:max|min|num|total|input|output|prompt|completion|cache\w*|reasoning|cached)_?-?tokens?$|tokeniz|"
                            rb"csrf|xsrf|next_?page|page_?token|continuation|cursor|sync_?token|cancell?ation|public_?key|"
                            rb"publishable|pagination|placeholder|i18n|design_?token|sha\d|md5|hash")
_PASSWORDS: Final = re.compile(
    rb"(?i)pass|pwd|_pw|\bpw|kennwort|contrase|mot_?de_?passe|mdp|senha|clave|(?:db|database|smtp|mail|root|admin)_?secret"
)
_STRONG: Final = re.compile(rb"(?i)pass|pwd|secret|token|key|kennwort|auth|bearer|credential")
_NESTED: Final = re.compile(rb"(?i)^(?:bearer|basic|token|apikey|key)[ +]")
_BARE: Final = re.compile(rb"[^\s\"'`<>\\]+")
_KNOWN: Final = re.compile(
    rb"(?i)(openai|anthropic|github|gitlab|slack|stripe|aws|azure|google|gcp|postgres|mysql|mongo|redis|smtp|mail|twilio|"
    rb"sendgrid|telegram|discord|jira|confluence|notion|linear|datadog|sentry|npm|pypi|docker|hugging_?face|hf|"
    rb"databricks|snowflake|vault|okta|auth0|jwt|session|ldap|ssh|vpn|wifi|amqp|rabbit|kafka|elastic|clickhouse)"
)
#: Values are at most so long.
VALUE_BYTES: Final = 8_192


def assigned_secrets(data: bytes, *, code: bool) -> Iterator[Candidate]:
    """Yield the secrets that stand behind a name, a flag or in a header."""
    for pattern, flag in ((_NAMED, False), (_FLAG, True), (_ENTRY, False)):
        for match in pattern.finditer(data):
            name, opened = match.group(1), match.group(2)
            value, start = _value_at(data, match.end() - 1, opened)
            quoted = opened[-1:] in (b'"', b"'", b"`")
            between = data[match.end(1) : match.start(2)].strip()
            if between.endswith((b"(", b",")) and not quoted:
                continue
            yield from _judged(name, value, start, quoted=quoted, code=code and not flag)
    yield from _of_headers(data)
    yield from _of_programs(data)


def named_secret(name: str, text: str) -> Candidate | None:
    """Return the secret that is the whole value of a key, or nothing."""
    value = text.strip().encode("utf-8", "surrogatepass")
    if not value or len(value) > VALUE_BYTES or b"\n" in value or not _holds(name.encode("utf-8", "replace")):
        return None
    start = len(text.encode("utf-8", "surrogatepass")) - len(text.lstrip().encode("utf-8", "surrogatepass"))
    return next(_judged(name.encode("utf-8", "replace"), value, start, quoted=True, code=False), None)


_HOLDS: Final = compiled(rb"(?i)" + _WORDS + rb"|^pass$|^pw$|^auth$")


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
    found = _BARE.match(data, at, at + VALUE_BYTES)
    if found is None:
        return b"", at
    value = found.group()
    for stop in (b"&", b"%26", b";"):
        value = value.partition(stop)[0]
    return value.rstrip(b",)]}.:|"), at


def _judged(name: bytes, value: bytes, start: int, *, quoted: bool, code: bool) -> Iterator[Candidate]:
    """Yield a value as a secret if its name and its form say so."""
    if not value or _COUNTS.search(name) or (_OTHER.search(name) and not random_like(value)):
        return
    end = start + len(value)
    scheme = _NESTED.match(value)
    if scheme is not None:
        start += scheme.end()
        value = value[scheme.end() :]
        if scheme.group().lower().startswith(b"basic"):
            yield from basic(value, start)
            return
    if b"://" in value or b" " in value.strip() and not _PASSWORDS.search(name):
        return
    if name.lower().rpartition(b"_")[2] in (b"auth", b"basic"):
        yield from basic(value, start)
        return
    if not secret_value(name, value, quoted=quoted, code=code):
        return
    encoded = decoded_base64(value) if _PASSWORDS.search(name) and len(value) >= 8 and len(value) % 4 == 0 else b""
    inner = encoded if _printable(encoded) and password_like(encoded) else value
    confidence = 0.9 if random_like(value) else 0.8
    yield Candidate("assigned-secret", kind_of(name), start, end, inner, confidence)


def secret_value(name: bytes, value: bytes, *, quoted: bool, code: bool) -> bool:
    """Return whether a value behind such a name is a secret."""
    if placeholder(value) or identifier(value) and not uuid(value) or term(value):
        return False
    if not quoted and expression(value):
        return False
    if _OTHER.search(name) is not None:
        return False
    if uuid(value):
        return re.search(rb"(?i)(?:api_?-?key|client_?-?secret|secret_?-?key|password|auth_?-?token)$", name) is not None
    if hexadecimal(value):
        return len(value) >= 16 and any(b in b"abcdefABCDEF" for b in value) and _STRONG.search(name) is not None
    if random_like(value) and (not word_like(value) or _digits(value) >= 3):
        return True
    if not _PASSWORDS.search(name):
        return 8 <= len(value) <= 40 and password_like(value) and not word_like(value) and not (code and not quoted) and (
            _digits(value) >= 2 and b" " not in value and b"/" not in value
        )
    if b" " in value and not quoted or value.count(b" ") > 5:
        return False
    if code and not quoted:
        return password_like(value) and any(b in b"!#$%^&*+?" for b in value) and _digits(value) > 0
    return password_like(value) and _digits(value) + _signs(value) > 0 and b": " not in value and not _sentence(value)


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
            "basic-authorization", "http", start, start + len(value), password, 0.95, user.decode(errors="replace")
        )


def _of_headers(data: bytes) -> Iterator[Candidate]:
    for match in _HEADER.finditer(data):
        which = 2 if match.group(2) is not None else 4
        scheme, value = match.group(which - 1).lower(), match.group(which).rstrip(b".")
        start = match.start(which)
        if scheme == b"basic":
            yield from basic(value, start)
        elif not placeholder(value) and not expression(value) and not term(value) and (
            random_like(value) or hexadecimal(value) and len(value) >= 16 or uuid(value)
        ):
            yield Candidate("bearer-token", "http", start, start + len(value), value, 0.92)
    if b"ookie" in data or b"OOKIE" in data:
        for match in _COOKIE.finditer(data):
            for crumb in _CRUMB.finditer(match.group(1)):
                value = crumb.group(2)
                if random_like(value) and not placeholder(value) and not uuid(value) and not _COUNTS.search(crumb.group(1)):
                    start = match.start(1) + crumb.start(2)
                    yield Candidate("cookie", "http", start, start + len(value), value, 0.85)


def _of_programs(data: bytes) -> Iterator[Candidate]:
    for match in _USER_FLAG.finditer(data):
        user, value = match.group(1), match.group(2)
        if not placeholder(value) and value.lower() not in (b"pass", b"password", user.lower()):
            start = match.start(2)
            yield Candidate(
                "argument-password", "http", start, start + len(value), value, 0.92, user.decode(errors="replace")
            )
    for pattern, kind in ((_MYSQL, "mysql"), (_SHORT, "password")):
        for match in pattern.finditer(data):
            value = match.group(1)
            if not placeholder(value) and (password_like(value) or random_like(value)) and not term(value):
                start = match.start(1)
                yield Candidate("argument-password", kind, start, start + len(value), value, 0.9)
