# SPDX-License-Identifier: Apache-2.0
"""Made-up secrets in real formats, with correct checksums, and what only looks like one.

Everything is put together at run time from random parts, so no file here holds a token.
"""

import base64
import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from random import Random
from urllib.parse import quote

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGITS = "0123456789"
HEX = "0123456789abcdef"
BASE62 = DIGITS + UPPER + LOWER
URLSAFE = BASE62 + "-_"

NAMES = [
    "ana",
    "ben",
    "carla",
    "deniz",
    "erik",
    "fatou",
    "georg",
    "hana",
    "ines",
    "jonas",
    "kaya",
    "lars",
    "mira",
    "noor",
    "otto",
    "priya",
]
SURNAMES = ["weber", "rossi", "novak", "okafor", "silva", "haddad", "jensen", "moreau", "tanaka", "kowalski"]
HOSTS = [
    "db",
    "pg-main",
    "cache01",
    "orders-db",
    "billing",
    "warehouse",
    "mq-2",
    "analytics",
    "ledger",
    "crm-sql",
]
DOMAINS = ["corp.internal", "acme-shop.io", "nordwind.de", "contoso-labs.net", "svc.cluster.local"]
WORDS = [
    "harbor",
    "lantern",
    "copper",
    "meadow",
    "violet",
    "thunder",
    "castle",
    "rocket",
    "pepper",
    "walnut",
    "summit",
    "falcon",
    "winter",
    "garden",
    "orange",
    "marble",
    "tiger",
    "silver",
    "breeze",
    "canyon",
]
SEASONS = ["Sommer", "Winter", "Spring", "Autumn", "Verano", "Herbst", "Ete", "Welcome", "Company", "Office"]


def _of(rng: Random, alphabet: str, count: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits.rjust(width, "0")


def _checked(rng: Random, prefix: str) -> str:
    """Return a GitHub or npm token: thirty random characters and the CRC-32 of them, in base 62."""
    body = _of(rng, BASE62, 30)
    return prefix + body + _base62(zlib.crc32(body.encode()), 6)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _b64url(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def human_password(rng: Random) -> str:
    """Return a password as people make them."""
    year, number = rng.randint(2015, 2026), rng.randint(1, 999)
    one, two = rng.choice(WORDS), rng.choice(WORDS)
    return rng.choice(
        [
            f"{rng.choice(SEASONS)}{year}!",
            f"{one.title()}{two.title()}{number}",
            f"{one}{number}{rng.choice('!#$%&?')}{two}",
            f"{one.title()}_{two}@{number}".replace("@", "#"),
            f"{rng.choice(NAMES).title()}{year}{rng.choice('!?.*')}".rstrip("."),
            one.replace("a", "4").replace("e", "3").replace("o", "0") + f"{number}!",
        ]
    )


def random_password(rng: Random) -> str:
    """Return a password as managers make them."""
    count = rng.randint(12, 24)
    return "A" + _of(rng, BASE62, count - 4) + _of(rng, "!#*+-_.", 2) + _of(rng, DIGITS, 1) + "x"


def password(rng: Random) -> str:
    """Return either form."""
    return human_password(rng) if rng.random() < 0.5 else random_password(rng)


def alnum(rng: Random) -> str:
    """Return a password without signs, as databases' own tools make them."""
    return "k" + _of(rng, BASE62, rng.randint(14, 26)) + "7Q"


def jwt(rng: Random) -> str:
    """Return a JSON Web Token that expires in the year 2036."""
    claims = {"sub": rng.choice(NAMES), "iat": 1_760_000_000, "exp": 2_080_000_000, "jti": _of(rng, HEX, 16)}
    return f"{_b64url({'alg': 'HS256', 'typ': 'JWT'})}.{_b64url(claims)}.{_of(rng, URLSAFE, 43)}"


def pem(rng: Random) -> str:
    """Return something in the form of a private key; it opens nothing."""
    body = _b64(rng.randbytes(384))
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    kind = rng.choice(["RSA ", "EC ", "OPENSSH ", ""])
    return "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])


def discord(rng: Random) -> str:
    """Return a bot token: the base64 of its id, a time and a signature."""
    number = str(rng.randint(10**17, 10**18 - 1)).encode()
    return f"{_b64(number)}.{_of(rng, URLSAFE, 6)}.{_of(rng, URLSAFE, 38)}"


def _openai(rng: Random) -> str:
    return "sk-proj-" + _of(rng, BASE62, 58) + "T3BlbkFJ" + _of(rng, BASE62, 58)


def _parted(value: str, seam: str, *at: int) -> str:
    """Return a value with a seam at some positions."""
    return seam.join(value[one:two] for one, two in pairwise([0, *at, len(value)]))


SECRETS: dict[str, Callable[[Random], str]] = {
    "password": password,
    "human": human_password,
    "random": random_password,
    "alnum": alnum,
    "ghp": lambda r: _checked(r, r.choice(["ghp_", "gho_", "ghs_"])),
    "github_pat": lambda r: f"github_pat_{_of(r, BASE62, 22)}_{_of(r, BASE62, 59)}",
    "npm": lambda r: _checked(r, "npm_"),
    "aws_id": lambda r: r.choice(["AKIA", "AKIA", "ASIA"]) + _of(r, UPPER + "234567", 16),
    "aws_secret": lambda r: _of(r, BASE62, 18) + "/" + _of(r, BASE62, 12) + "+" + _of(r, BASE62, 8),
    "slack": lambda r: (
        f"xoxb-{r.randint(10**11, 10**12 - 1)}-{r.randint(10**12, 10**13 - 1)}-{_of(r, BASE62, 24)}"
    ),
    "slack_hook": lambda r: (
        f"https://hooks.slack.com/services/T{_of(r, UPPER + DIGITS, 8)}/B{_of(r, UPPER + DIGITS, 10)}/"
        + _of(r, BASE62, 24)
    ),
    "stripe": lambda r: "sk_live_" + "51" + _of(r, BASE62, 40),
    "openai": _openai,
    "anthropic": lambda r: "sk-ant-api03-" + _of(r, URLSAFE, 93) + "AA",
    "google": lambda r: "AIza" + "Sy" + _of(r, URLSAFE, 33),
    "azure_storage": lambda r: _b64(r.randbytes(64)),
    "azure_client": lambda r: _of(r, BASE62, 3) + "8Q~" + _of(r, BASE62, 34),
    "pypi": lambda r: "pypi-AgEIcHlwaS5vcmc" + _of(r, URLSAFE, 100),
    "gitlab": lambda r: "glpat-" + _of(r, URLSAFE, 20),
    "hf": lambda r: "hf_" + _of(r, LOWER + UPPER, 34),
    "databricks": lambda r: "dapi" + _of(r, HEX, 32),
    "sendgrid": lambda r: f"SG.{_of(r, URLSAFE, 22)}.{_of(r, URLSAFE, 43)}",
    "telegram": lambda r: f"{r.randint(10**9, 10**10 - 1)}:AA{_of(r, URLSAFE, 33)}",
    "discord": discord,
    "digitalocean": lambda r: "dop_v1_" + _of(r, HEX, 64),
    "age": lambda r: "AGE-SECRET-KEY-1" + _of(r, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "vault": lambda r: "hvs." + _of(r, URLSAFE, 92),
    "jwt": jwt,
    "pem": pem,
    "pem_json": lambda r: pem(r).replace("\n", "\\n"),
    "hex32": lambda r: _of(r, HEX, 32),
    "hex40": lambda r: _of(r, HEX, 40),
    "hex64": lambda r: _of(r, HEX, 64),
    "opaque": lambda r: _of(r, URLSAFE, 40) + "Z9",
    "opaque24": lambda r: "q" + _of(r, BASE62, 22) + "8",
    "pin": lambda r: _of(r, DIGITS, 6),
    "basic": lambda r: _b64(f"{r.choice(NAMES)}:{password(r)}".encode()),
    "b64_url": lambda r: _b64(
        f"postgresql://{r.choice(NAMES)}:{alnum(r)}@{r.choice(HOSTS)}.{r.choice(DOMAINS)}:5432/app".encode()
    ),
    "b64_ghp": lambda r: _b64(_checked(r, "ghp_").encode()),
    "hex_ghp": lambda r: _checked(r, "ghp_").encode().hex(),
    "b64_password": lambda r: _b64(password(r).encode()),
    "pct_password": lambda r: quote(r.choice(WORDS).title() + "@" + _of(r, BASE62, 9) + "#1", safe=""),
    "zero_width_ghp": lambda r: _parted(_checked(r, "ghp_"), "\u200b", 9, 21),
    "wrapped_ghp": lambda r: _parted(_checked(r, "ghp_"), "\n", 20),
    "wrapped_openai": lambda r: _parted(_openai(r), "\\\n", 60),
    "halves_quoted": lambda r: _parted(_checked(r, "ghp_"), '" + "', 17),
    "halves_lines": lambda r: _parted(_checked(r, "ghp_"), '"\n    "', 14),
    "half_password": lambda r: _of(r, BASE62, 9) + "!",
}

PLAIN: dict[str, Callable[[Random], str]] = {
    "name": lambda r: r.choice(NAMES),
    "person": lambda r: f"{r.choice(NAMES)}.{r.choice(SURNAMES)}",
    "email": lambda r: f"{r.choice(NAMES)}.{r.choice(SURNAMES)}@{r.choice(DOMAINS)}",
    "host": lambda r: f"{r.choice(HOSTS)}.{r.choice(DOMAINS)}",
    "short": lambda r: r.choice(HOSTS),
    "domain": lambda r: r.choice(DOMAINS),
    "word": lambda r: r.choice(WORDS),
    "number": lambda r: str(r.randint(2, 9999)),
    "md5": lambda r: _of(r, HEX, 32),
    "sha1": lambda r: _of(r, HEX, 40),
    "sha256": lambda r: _of(r, HEX, 64),
    "short_sha": lambda r: _of(r, HEX, 7),
    "sri": lambda r: "sha512-" + _b64(r.randbytes(64)),
    "uuid": lambda r: "-".join(_of(r, HEX, n) for n in (8, 4, 4, 4, 12)),
    "ulid": lambda r: "01" + _of(r, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
    "public_key": lambda r: "AAAAB3NzaC1yc2EAAAADAQABAAAB" + _b64(r.randbytes(240)),
    "image": lambda r: "iVBORw0KGgoAAAANSUhEUgAA" + _b64(r.randbytes(900)),
    "minified": lambda r: "".join(
        f"function {_of(r, LOWER, 1)}({_of(r, LOWER, 1)}){{return {_of(r, LOWER, 2)}.{r.choice(WORDS)}"
        f"({_of(r, LOWER, 1)}.token,{r.randint(0, 99)})}}"
        for _ in range(40)
    ),
    "bcrypt": lambda r: "$2b$12$" + _of(r, BASE62 + "./", 53),
    "request_id": lambda r: "req_" + _of(r, BASE62, 24),
    "trace": lambda r: f"00-{_of(r, HEX, 32)}-{_of(r, HEX, 16)}-01",
    "example_aws": lambda r: "AKIA" + "IOSFODNN7" + "EXAMPLE",
    "example_aws_secret": lambda r: "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCY" + "EXAMPLEKEY",
    "example_ghp": lambda r: "ghp_" + "x" * 36,
    "time": lambda r: f"2026-11-{r.randint(10, 29)}T{r.randint(10, 23)}:{r.randint(10, 59)}:07Z",
    "version": lambda r: f"{r.randint(0, 9)}.{r.randint(0, 30)}.{r.randint(0, 9)}",
    "public_jwk": lambda r: _of(r, URLSAFE, 43),
    "stripe_public": lambda r: "pk_live_" + "51" + _of(r, BASE62, 40),
    "tool_id": lambda r: "toolu_01" + _of(r, BASE62, 22),
    "call_id": lambda r: "call_" + _of(r, BASE62, 24),
}
