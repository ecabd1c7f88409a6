# SPDX-License-Identifier: Apache-2.0
"""Tokens with a fixed shape, by provider; where the shape has a checksum, it is checked.

GitHub: a CRC-32 in base 62 in the last six characters (https://github.blog, "Behind GitHub's new
authentication token formats", 2021). npm: the same. JSON Web Tokens: a header that is JSON with an algorithm.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import re2

from remit.core.discovery.secrets.candidates import Candidate
from remit.core.discovery.secrets.placeholders import placeholder
from remit.core.discovery.secrets.randomness import commonness, random_like

_DIGITS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _checksum(value: bytes) -> bool:
    """Return whether the last six characters are the CRC-32 of the thirty before them."""
    body, wanted = value[-36:-6], value[-6:]
    number, digits = binascii.crc32(body), b""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest : rest + 1] + digits
    return digits.rjust(6, b"0") == wanted


def _web_token(value: bytes) -> bool:
    """Return whether the first part is a JOSE header of a signed token."""
    return b'"alg"' in decoded_base64(value.partition(b".")[0])


def lasting(value: bytes) -> bool:
    """Return whether a JSON Web Token has no end, or lives longer than thirty days."""
    claims = decoded_base64(value.split(b".")[1])
    end, begin = _END.search(claims), _BEGIN.search(claims)
    return end is None or (begin is not None and int(end.group(1)) - int(begin.group(1)) > _LASTING_S)


_END: Final = re.compile(rb'"exp"\s?:\s?(\d{1,12})')
_BEGIN: Final = re.compile(rb'"(?:iat|nbf)"\s?:\s?(\d{1,12})')
_LASTING_S: Final = 30 * 24 * 3600


def _bot_id(value: bytes) -> bool:
    """Return whether the first part is the base64 of a decimal id."""
    return decoded_base64(value.partition(b".")[0]).isdigit()


def _drawn(value: bytes) -> bool:
    """Return whether it looks random, as a shape that is short needs."""
    return random_like(value) or commonness(value) < 4.3


def _mixed(value: bytes) -> bool:
    """Return whether small and capital letters are mixed."""
    return sum(97 <= b <= 122 for b in value[3:]) > 5 and sum(65 <= b <= 90 for b in value) > 5


def _long_end(value: bytes) -> bool:
    """Return whether the last part is long and random, as in real tokens of Slack."""
    last = value.rpartition(b"-")[2]
    return len(last) >= 16 and commonness(last) < 4.8


def decoded_base64(value: bytes) -> bytes:
    """Return the bytes of base64 in either alphabet, with or without padding; empty if it is none."""
    plain = value.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return b""


@dataclass(frozen=True, slots=True)
class TokenShape:
    """A shape. `pattern` is RE2's; `check` looks at what it matched."""

    rule: str
    type: str
    pattern: bytes
    check: Callable[[bytes], bool] | None = None
    confidence: float = 0.97


SHAPES: Final = (
    TokenShape("github-classic-token", "github", rb"ghp_[0-9A-Za-z]{36}", _checksum, 0.99),
    TokenShape("github-oauth-token", "github", rb"gh[our]_[0-9A-Za-z]{36}", _checksum, 0.99),
    TokenShape("github-app-token", "github", rb"ghs_[0-9A-Za-z]{36}", _checksum, 0.99),
    TokenShape("github-fine-grained-token", "github", rb"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}"),
    TokenShape("aws-access-key", "aws", rb"AKIA[A-Z2-7]{16}", None, 0.95),
    TokenShape("aws-session-key", "aws", rb"ASIA[A-Z2-7]{16}", None, 0.95),
    TokenShape("slack-token", "slack", rb"xox[abeoprs]-(?:\d-)?[0-9A-Za-z-]{20,}[0-9A-Za-z]", _long_end),
    TokenShape("slack-app-token", "slack", rb"xapp-\d-[A-Z0-9]{8,14}-\d{8,15}-[0-9a-f]{64}"),
    TokenShape(
        "slack-webhook",
        "slack",
        rb"https?://hooks\.slack\.com/(?:services|workflows|"
        rb"triggers)/T[A-Z0-9]{7,12}/[A-Z0-9/]{7,40}/[0-9A-Za-z]{20,36}",
    ),
    TokenShape("stripe-key", "stripe", rb"[rs]k_live_[0-9A-Za-z]{20,}"),
    TokenShape("stripe-test-key", "stripe", rb"[rs]k_test_[0-9A-Za-z]{20,}"),
    TokenShape("openai-key", "openai", rb"sk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{20,}", _drawn),
    TokenShape("openai-key", "openai", rb"sk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}"),
    TokenShape("anthropic-key", "anthropic", rb"sk-ant-(?:api|admin|oat|ort)\d{2}-[0-9A-Za-z_-]{60,}"),
    TokenShape("openrouter-key", "openrouter", rb"sk-or-v1-[0-9a-f]{64}"),
    TokenShape("groq-key", "groq", rb"gsk_[0-9A-Za-z]{52}"),
    TokenShape("xai-key", "xai", rb"xai-[0-9A-Za-z]{80}"),
    TokenShape("replicate-token", "replicate", rb"r8_[0-9A-Za-z]{37}"),
    TokenShape("google-api-key", "google", rb"AIza[0-9A-Za-z_-]{35}"),
    TokenShape("google-oauth-secret", "google", rb"GOCSPX-[0-9A-Za-z_-]{28}"),
    TokenShape("google-oauth-token", "google", rb"ya29\.[0-9A-Za-z_-]{30,}"),
    TokenShape("azure-client-secret", "azure", rb"[0-9A-Za-z_~.]{3}\dQ~[0-9A-Za-z_~.-]{31,34}"),
    TokenShape("azure-storage-key", "azure", rb"[0-9A-Za-z+/]{86}==", _drawn, 0.8),
    TokenShape(
        "azure-sas", "azure", rb"sig=[0-9A-Za-z%+/]{43,53}(?:%3[dD]|=)", lambda value: random_like(value[4:])
    ),
    TokenShape("npm-token", "npm", rb"npm_[0-9A-Za-z]{36}", _checksum, 0.99),
    TokenShape("pypi-token", "pypi", rb"pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,}"),
    TokenShape(
        "gitlab-token",
        "gitlab",
        rb"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[0-9A-Za-z_.-]{20,}",
        _drawn,
    ),
    TokenShape("hugging-face-token", "hugging-face", rb"hf_[A-Za-z]{34}", _mixed),
    TokenShape("databricks-token", "databricks", rb"dapi[0-9a-f]{32}(?:-\d)?"),
    TokenShape("twilio-key", "twilio", rb"SK[0-9a-f]{32}", None, 0.9),
    TokenShape("sendgrid-key", "sendgrid", rb"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}"),
    TokenShape("mailgun-key", "mailgun", rb"key-[0-9a-f]{32}", None, 0.9),
    TokenShape("telegram-token", "telegram", rb"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}"),
    TokenShape(
        "discord-token",
        "discord",
        rb"[MNO][0-9A-Za-z_-]{23,27}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,38}",
        _bot_id,
    ),
    TokenShape("digitalocean-token", "digitalocean", rb"do[oprt]_v1_[0-9a-f]{64}"),
    TokenShape("vault-token", "vault", rb"hv[sbr]\.[0-9A-Za-z_-]{24,}", _drawn),
    TokenShape("age-key", "age", rb"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    TokenShape("linear-key", "linear", rb"lin_api_[0-9A-Za-z]{40}"),
    TokenShape("notion-token", "notion", rb"(?:ntn_[0-9A-Za-z]{46}|secret_[0-9A-Za-z]{43})"),
    TokenShape("atlassian-token", "atlassian", rb"ATATT3[0-9A-Za-z_=-]{180,}"),
    TokenShape("shopify-token", "shopify", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    TokenShape("docker-token", "docker", rb"dckr_pat_[0-9A-Za-z_-]{27}"),
    TokenShape("grafana-token", "grafana", rb"glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}"),
    TokenShape("new-relic-key", "new-relic", rb"NRAK-[A-Z0-9]{27}"),
    TokenShape("planetscale-token", "planetscale", rb"pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_.-]{32,}"),
    TokenShape("supabase-key", "supabase", rb"sb(?:p|_secret)_[0-9A-Za-z_-]{31,}"),
    TokenShape("tailscale-key", "tailscale", rb"tskey-[a-z]+-[0-9A-Za-z]{10,20}-[0-9A-Za-z]{20,40}"),
    TokenShape("sourcegraph-token", "sourcegraph", rb"sgp_(?:(?:[0-9A-Fa-f]{16}|local)_)?[0-9A-Fa-f]{40}"),
    TokenShape("facebook-token", "facebook", rb"EAA[MC][0-9A-Za-z]{80,}", random_like),
    TokenShape("42-secret", "42", rb"s-s4t2(?:ud|af)-[0-9a-f]{64}"),
    TokenShape(
        "json-web-token",
        "jwt",
        rb"eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{16,}",
        _web_token,
        0.93,
    ),
)
_OPTIONS: Final = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_OPTIONS.max_mem = 64 << 20
_ALL: Final = re2.compile(
    rb"(?:^|[^0-9A-Za-z_/+=-]|[=/-]|\\[nrt])(?:"
    + b"|".join(b"(%s)" % shape.pattern for shape in SHAPES)
    + rb")",
    _OPTIONS,
)
#: What each shape has near its beginning, so that one fast search finds the places to look at.
ANCHOR: Final = (
    rb"gh[oursp]_|github_pat_|AKIA|ASIA|xox[abeoprs]-|xapp-|hooks\.slack|[rs]k_live_|[rs]k_test_|"
    rb"sk-(?:proj|svca|admi|ant|or)|"
    rb"T3BlbkFJ|gsk_|xai-|r8_|AIza|GOCSPX-|ya29\.|\dQ~|[0-9A-Za-z+/]==|[?&;\"'\s]sig=|npm_|pypi-Ag|"
    rb"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-|hf_[A-Za-z]|dapi[0-9a-f]|SK[0-9a-f]{4}|SG\.|"
    rb"key-[0-9a-f]{4}|:AA|"
    rb"[MNO][0-9A-Za-z]{23,27}\.|do[oprt]_v1_|hv[sbr]\.|AGE-SECRET|lin_api_|ntn_|"
    rb"secret_[0-9A-Za-z]{8}|ATATT3|shp[acps][ast]_|"
    rb"dckr_pat_|glsa_|NRAK-|pscale_|sbp_|sb_secret_|tskey-|eyJ|sgp_|EAA[MC]|s-s4t2"
)
_ANCHOR: Final = re2.compile(ANCHOR, _OPTIONS)
#: A token has at least so many different characters.
_CHARACTERS: Final = 10
#: What stands before a digest of the same length as a key.
_INTEGRITY: Final = (b"sha512-", b"sha512:", b"SHA512:", b"sha-512=")
#: How far before and behind its anchor a token reaches.
_BEFORE_BYTES: Final = 90
_SHAPE_BYTES: Final = 400
_JWT_HEAD: Final = re.compile(rb"eyJ[\w-]{8,1000}\.eyJ")
_JWT_BYTES: Final = 9_000
_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_PEM: Final = re2.compile(rb"-----BEGIN ([A-Z0-9 ]{0,20})PRIVATE KEY(?: BLOCK)?-----", _OPTIONS)
#: A key's text is at most so long, escapes included.
_PEM_BYTES: Final = 20_000
_AWS_SECRET: Final = re2.compile(
    rb"(?:^|[^0-9A-Za-z/+=]|[=]|\\[nrt])([0-9A-Za-z/+]{40})(?:[^0-9A-Za-z/+=]|$)", _OPTIONS
)
#: How far from an access key its secret stands.
_PAIR_BYTES: Final = 400


_ACCOUNT: Final = re.compile(rb"client_email[\\\"']{1,4}\s?:\s?[\\\"']{1,4}([\w.@-]{6,120})")


def compiled(pattern: bytes) -> re2._Regexp:
    """Return a pattern of RE2 over bytes."""
    return re2.compile(pattern, _OPTIONS)


class PatternSet:
    """Patterns that one pass over a text looks for together."""

    def __init__(self, **patterns: bytes) -> None:
        """Take the patterns by their names."""
        self._names = tuple(patterns)
        self._set = re2.Set.SearchSet(_OPTIONS)
        for pattern in patterns.values():
            self._set.Add(pattern)
        self._set.Compile()

    def seen(self, data: bytes) -> frozenset[str]:
        """Return the names of the patterns that match somewhere."""
        return frozenset([self._names[number] for number in self._set.Match(data) or ()])


def token_anchors(data: bytes) -> list[tuple[int, int]]:
    """Return where a token of a provider may stand."""
    return [anchor.span() for anchor in _ANCHOR.finditer(data)]


def provider_tokens(data: bytes, anchors: list[tuple[int, int]] | None = None) -> Iterator[Candidate]:
    """Yield the tokens of known shape, private keys, and the secrets beside AWS access keys."""
    after = 0
    for begin, close in token_anchors(data) if anchors is None else anchors:
        if begin < after or (data[begin:close] == b"eyJ" and _JWT_HEAD.match(data, begin) is None):
            continue
        first = max(after, begin - _BEFORE_BYTES)
        reach = _JWT_BYTES if data[begin:close] == b"eyJ" else _SHAPE_BYTES
        match = _ALL.search(data[first : close + reach])
        if match is None:
            continue
        number = match.lastindex
        shape = SHAPES[number - 1]
        start, end = first + match.start(number), first + match.end(number)
        after = end
        value = data[start:end]
        if value.endswith(b"==") and data[max(0, start - 8) : start].endswith(_INTEGRITY):
            continue
        if end < len(data) and data[end] in _WORD and value[-1] in _WORD:
            continue
        if (
            len(set(value)) < _CHARACTERS
            or placeholder(value.rpartition(b"/")[2] if value.startswith(b"http") else value)
            or (shape.check is not None and not shape.check(value))
        ):
            continue
        rule = "lasting-web-token" if shape.type == "jwt" and lasting(value) else shape.rule
        yield Candidate(rule, shape.type, start, end, value, shape.confidence)
        if shape.type == "aws":
            yield from _beside(data, start, end)
    if b"PRIVATE KEY" in data:
        yield from _private_keys(data)


def _beside(data: bytes, start: int, end: int) -> Iterator[Candidate]:
    """Yield the secret access keys near an access key."""
    first = max(0, start - _PAIR_BYTES)
    for match in _AWS_SECRET.finditer(data[first : end + _PAIR_BYTES]):
        value = match.group(1)
        if random_like(value) and not placeholder(value) and not _all_hex(value):
            at = first + match.start(1)
            access = f"{data[start : start + 4].decode()}...{data[end - 4 : end].decode()}"
            yield Candidate("aws-secret-key", "aws", at, at + 40, value, 0.96, user=access)


def _all_hex(value: bytes) -> bool:
    return all(b in b"0123456789abcdefABCDEF" for b in value)


def _private_keys(data: bytes) -> Iterator[Candidate]:
    """Yield private keys in PEM form whose text is there, not only its header."""
    for match in _PEM.finditer(data):
        start = match.start()
        last = data.find(b"PRIVATE KEY", match.end(), match.end() + _PEM_BYTES)
        close = data.find(b"-----", last) if last >= 0 else -1
        inner = data[match.end() : last if last >= 0 else match.end() + 2000]
        body = inner.replace(b"\\n", b"\n").replace(b"-----END", b"")
        text = bytes(b for b in body if b in _WORD or b in b"+/=")
        if len(text) < 60 or placeholder(body.strip()[:200]) or not random_like(text[-64:]):
            continue
        end = close + 5 if close >= 0 else match.end() + len(inner)
        account = _ACCOUNT.search(data, max(0, start - _PAIR_BYTES), end + _PAIR_BYTES)
        if account is not None:
            user = account.group(1).decode(errors="replace")
            yield Candidate("service-account-key", "google", start, end, text, 0.98, user)
        else:
            yield Candidate("private-key", _key_type(match.group(1)), start, end, text, 0.97)


def _key_type(words: bytes) -> str:
    return "pgp" if b"PGP" in words else "ssh" if b"OPENSSH" in words else "private-key"
