# SPDX-License-Identifier: Apache-2.0
"""Values in the place of a secret: examples, variables, references, digests, identifiers."""

from __future__ import annotations

import re
from typing import Final

#: Words of examples. A value with one of them was written for a reader.
_EXAMPLE: Final = re.compile(
    rb"(?i)example|sample|placeholder|your[-_ ]?|changeme|change[-_]?(?:me|this|it)|"
    rb"replace[-_ ]?(?:me|this|with)|"
    rb"insert[-_ ]|dummy|redacted|removed|hidden|masked|censored|x{5,}|\*{3,}|\.{3,}|-{6,}|_{4,}|"
    rb"\bfake|[-_]here\b|"
    rb"to[-_]?be[-_]?(?:set|filled|changed)|not[-_]?(?:a|the)?[-_]?(?:real|secret)|do[-_]?not|todo|fixme|"
    rb"lorem|foobar|A-Z\]|A-Za-|a-zA-|a-z0-|0-9\]|0-9A-|0-9a-|a-z\]|Z0-9|0123456789|123456789|"
    rb"abcdef(?:gh|012|123)|qwerty|deadbeef|test[-_]?(?:token|key|pass|secret|user)|"
    rb"\{\w{0,30}\}|:x:\d|0001020304|"
    rb"^(?:my|some|any|the|a|new|old|super|top|very)?[-_ ]?(?:secret|password|passwd|token|"
    rb"api[-_]?key|key|pass|pw)"
    rb"[-_ ]?(?:here|value|goes[-_]here|string|text)?[-_ ]?(?:\d{1,4}!?)?$"
)
#: What is tried first by every attacker and written first in every example.
_COMMON: Final = frozenset(
    b"none null nil true false undefined nan empty default admin admin123 root user username test testing "
    b"test123 test1234 password1 passw0rd p@ssw0rd p@ssword s3cr3t s3cret secret1 letmein guest hello "
    b"123456 12345678 "
    b"string str int bool bytes number object required optional string! xxx yyy zzz foo bar baz foo123 "
    b"proxypass anoncvs pserver:anoncvs "
    b"abc123 abc1234 abcd1234 123abc user123 pass123 pass1234 hunter3 token123 key123".split()
)
#: A variable, a template, a reference to a store of secrets, a call.
_REFERENCE: Final = re.compile(
    rb"(?i)^(?:\$|%[A-Za-z_]\w+%$|@[\w.]+@$|<[^>]*>?|\{\{?|\[[A-Za-z ]|#\{|op://|vault[:/]|env[:.]|"
    rb"file:|openbao:|"
    rb"keyring:|keychain:|"
    rb"secret(?:s|smanager)?[:./]|arn:|ssm:|azurekeyvault|gcp[-_]?sm|projects/|sops:|enc\[|!vault|"
    rb"!(?:ref|sub|getatt)|"
    rb"process\.env|os\.(?:environ|getenv)|system\.getenv|import\.meta|var\.|local\.|data\.|self\.|this\.|"
    rb"config[.\[]|settings\.|ctx\.|args\.|props\.|req(?:uest)?\.|res(?:ponse)?\.|lambda|function|"
    rb"async |new |"
    rb"return |await |\(|&|\||=|\.{1,2}/|~/|https?:|[A-Za-z]:\\)|"
    rb"\$\{|\{\{|<%|%>|#\{|\$\(|\}\}"
)
_IDENTIFIER_CALL: Final = re.compile(rb"^[A-Za-z_][\w.]*(?:\(|\[|\.[A-Za-z_]\w*[.(\[]|->|::)")
_DOTTED: Final = re.compile(rb"^[A-Za-z_]+(?:\.[A-Za-z_]+)+$")
_UUID: Final = re.compile(rb"^\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?$")
_HEX: Final = re.compile(rb"^(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)$")
_DIGEST: Final = re.compile(
    rb"(?i)^(?:sha(?:1|224|256|384|512)|md5|blake2[bs]?|h1)[:-]|^\$(?:2[abxy]?|1|5|6|argon2\w*|"
    rb"pbkdf2[\w-]*|scrypt|y)\$|"
    rb"^(?:pbkdf2|bcrypt|argon2|scrypt|scram-sha)|^\{ssha"
)
_PUBLIC: Final = re.compile(
    rb"^(?:AAAA[BCE]3Nz|AAAAE2Vj|pk_(?:live|test)_|pk-|iVBORw0KGgo|/9j/|R0lGOD|data:|"
    rb"MII[A-Z][A-Za-z]ANBg|age1|"
    rb"ssh-(?:rsa|ed25519)|req_|msg_|toolu_|call_|resp_|chatcmpl-|evt_|cus_|pi_|acct_|sha\d)"
)
#: Terms of the field with digits, times, versions, addresses, file names.
_TERM: Final = re.compile(
    rb"(?i)^(?:(?:rfc|pkcs|nist|crystals)?[-_]?(?:sha|md|rfc|aes|rsa|hs|rs|es|ps|ed|x|utf|base|pbkdf|"
    rb"oauth|http|ipv|win|ssl|tls|v|p|"
    rb"argon|bcrypt|fido|totp|iso|cve|ec|curve|secp|gpt|claude|llama|python|node|java|s3|k8s|i18n|"
    rb"l10n|h2|sr)[-_.]?"
    rb"\d{1,4}(?:[-_.:/][\w.-]{0,12})?|\d+(?:[.:,/-]\d+)*(?:ms|s|m|h|d|kb|mb|gb|k|px|%|st|nd|rd|th|"
    rb"-?bits?|-?bytes?|-?chars?|x|v)?|"
    rb"v\d+(?:alpha|beta|rc|pre)\d*|pass@\d+|\d{4}-\d\d-\d\d[T \d:.Z+-]*|"
    rb"v?\d+(?:\.\d+){1,8}[\w.-]{0,12}|(?:[\w./-]+\.(?:md|html?|rst|txt))?#[a-z]\w*-[\w-]*|(?:bug|issue|pr)s?#\d+|[\w./-]*[\w-]\.(?:py|js|ts|go|rs|md|json|ya?ml|toml|txt|"
    rb"env|cfg|ini|sh|sql|html|css|java|kt|rb|php|cs|pem|key|crt|lock|log|csv|xml|conf|whl|zip|gz)(?::\d+)*|"
    rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|internal|local|de|ai|app|"
    rb"co)(?::\d+)?(?:/\S*)?|"
    rb"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?:/\d+)?)$"
)
#: What manuals, changelogs and lists of tests name behind a word: files of sources, names of C++, options and
#: their switches, keys, versions of packages, elements of a page, pointers, answers of a server.
_OF_MANUALS: Final = re.compile(
    rb"^(?:(?:[\w.@+-]+/)*[\w.+-]*\w\.(?:[chm]|cc|cpp|cxx|hh|hpp|pl|pm|po|am|ac|el|texi|scm|s|swift|cmake|exp)"
    rb"(?::\d+)*|:{1,2}[A-Za-z_][\w\\]*(?:::[\w\\]+)*(?:[<>=]=?v?\d[\d.]*)?|\+[A-Z][A-Za-z]+|--[a-z][a-z-]*=\S*|"
    rb"(?i:ctrl|alt|shift|meta)[+^-]\w{1,3}|[a-z][a-z+]*(?:-[a-z+]+)*-\d+(?:\.\d+)+[a-z]?|"
    rb"\d+(?:\.\d+)+(?:[~+-][a-z]+\d+(?:\.\d+)*)+|/?[a-z]{1,10}>[\w./]*|"
    rb"(?:const )?\w+\*?\*\)&?\w+|[1-5]\d\d-[A-Z][a-z]+)$"
)
_PATH: Final = re.compile(rb"^/[\w.@-]{0,80}(?:/[\w.@-]{0,80})*$")
_REPEATED: Final = re.compile(rb"^(.{1,3})\1+.?$", re.DOTALL)


#: So much of a long value is looked at.
JUDGED_BYTES: Final = 256


def placeholder(value: bytes) -> bool:
    """Return whether a value stands for a secret: an example, a variable, a reference, a piece of code."""
    value = value[:JUDGED_BYTES]
    low = value.lower().strip(b"\"'`")
    return (
        low in _COMMON
        or _REFERENCE.search(value) is not None
        or _EXAMPLE.search(value) is not None
        or _PATH.match(value) is not None
        or _REPEATED.match(value) is not None
        or (len(set(value)) <= max(2, len(value) // 10) and len(set(value)) < 6)
    )


def expression(value: bytes) -> bool:
    """Return whether an unquoted value is code: a call, an index, a path of names."""
    return _IDENTIFIER_CALL.match(value) is not None or _DOTTED.match(value) is not None


def identifier(value: bytes) -> bool:
    """Return whether a value names something: a UUID, a digest, a public key, a request."""
    return (
        _UUID.match(value) is not None or _DIGEST.match(value) is not None or _PUBLIC.match(value) is not None
    )


def hexadecimal(value: bytes) -> bool:
    """Return whether a value is a row of hexadecimal digits: a digest as well as a key."""
    return len(value) >= 7 and _HEX.match(value) is not None


def uuid(value: bytes) -> bool:
    """Return whether a value is a UUID."""
    return _UUID.match(value) is not None


def term(value: bytes) -> bool:
    """Return whether a value is a term, a number, a time, a version, an address or the name of a file."""
    return len(value) <= JUDGED_BYTES and (
        _TERM.match(value) is not None or _OF_MANUALS.match(value) is not None
    )
