# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001 - letters that look like others are what it is about
"""What addresses of mail are put together from: for each part an ordinary way, and classes of ways to write
it otherwise. `{}` in what is around an address stands for the address.
"""

from collections.abc import Mapping
from random import Random

from tests.clients.url_grammar import (
    BIDI,
    BLANKS,
    CONTROLS,
    EVIL,
    GOOD,
    INVISIBLE,
    Production,
    anywhere,
    around,
    name,
    one,
)

_LOCALS = ("ana", "bob.smith", "sales", "a+tag", "x_y", "o-k", "n1", "no.reply")
VICTIM = f"ana@{EVIL}"


def local(rng: Random) -> str:
    """Return an ordinary local part."""
    return rng.choice(_LOCALS)


ORDINARY: Mapping[str, Production] = {
    "around": one("{}", "{}", "Ana <{}>", "<{}>", '"Smith, Ana" <{}>'),
    "local": local,
    "at": one("@"),
    "domain": name,
}

HOSTILE: Mapping[str, Mapping[str, Production]] = {
    "around": {
        "address as display name": one(f"ana@{GOOD} <{{}}>", f"{{}} <{VICTIM}>", f"{{}}<{VICTIM}>"),
        "quoted address as display name": one(f'"ana@{GOOD}" <{{}}>', f'"{{}}" <{VICTIM}>'),
        "encoded display name": one(
            "=?utf-8?q?Ana?= <{}>",
            f"=?utf-8?q?ana=40{EVIL}=2C?= <{{}}>",
            "=?utf-8?b?YW5hQGV2aWwuZXhhbXBsZQ==?= <{}>",
        ),
        "encoded address": one(f"=?utf-8?q?ana=40{EVIL}?=", f"=?utf-8?q?{{}}=2C_ana=40{EVIL}?="),
        "comment": one(
            "{} (Ana)", "(Ana) {}", f"{{}} (<{VICTIM}>)", f"({{}}) {VICTIM}", f"{{}} (a) <{VICTIM}>"
        ),
        "open comment": one("{} (", f"({{}} {VICTIM}", f"{{}}) {VICTIM}"),
        "two with a comma": one(
            f"{{}}, {VICTIM}", f"{VICTIM},{{}}", "{},", ",{}", f"Ana <{{}}>, Eve <{VICTIM}>"
        ),
        "two with a semicolon": one(f"{{}}; {VICTIM}", f"{{}};{VICTIM}", "{};"),
        "two with a blank": one(f"{{}} {VICTIM}", f"<{{}}> <{VICTIM}>", f"<{{}}> {VICTIM}"),
        "group": one("team: {};", f"team: {{}}, {VICTIM};", f"team:;, {VICTIM}", f"{{}}: {VICTIM};"),
        "new line": one(
            f"{{}}\nBcc: {VICTIM}", f"{{}}\r\nBcc: {VICTIM}", f"{{}}\r{VICTIM}", "{}\n", f"{{}}\n {VICTIM}"
        ),
        "injection": one(f"{{}}>\r\nRCPT TO:<{VICTIM}", f"{{}}> ORCPT=rfc822;{VICTIM}", "{}\r\n.\r\nRSET"),
        "odd brackets": one("<{}", "{}>", "<<{}>>", f"<{{}}>@{EVIL}", f"<{{}}<{VICTIM}>", f"{{}}>{VICTIM}<"),
        "odd quotes": one('"{}', '{}"', f'"{{}}" {VICTIM}', f'"{{}}, {VICTIM}', f"'{{}}, {VICTIM}'", '"{}"'),
        "source route": one(
            f"<@{EVIL}:{{}}>", f"@{EVIL}:{{}}", f"<@a.example,@{EVIL}:{{}}>", f"<@{EVIL}{{}}>"
        ),
        "mailto": one("mailto:{}", f"mailto:{{}}?bcc={VICTIM}", f"MAILTO:{{}},{VICTIM}"),
        "blank": lambda rng: rng.choice((f"{rng.choice(BLANKS)}{{}}", f"{{}}{rng.choice(BLANKS)}")),
        "control": lambda rng: rng.choice((f"{rng.choice(CONTROLS)}{{}}", f"{{}}{rng.choice(CONTROLS)}")),
        "invisible": lambda rng: rng.choice(INVISIBLE + BIDI) + "{}",
        "words": one("{} please", "to {}", "Ana {}", "Ana, {}", "Ana"),
    },
    "local": {
        "case": one("ANA", "Ana.Smith"),
        "quoted": one(
            '"ana"', '"ana smith"', '"ana@good"', f'"{VICTIM}>"', f'"ana,{VICTIM}"', '"a\\"b"', '""'
        ),
        "percent hack": one(f"ana%{EVIL}", f"{EVIL}!ana", f"ana%40{EVIL}", f"{EVIL}!%ana"),
        "dots": one("ana.", ".ana", "a..na", "."),
        "comment": one("ana(x)", "(x)ana", "a(n)a", f"ana(@{EVIL})"),
        "blank": one("ana smith", "ana ", " ana", "an a"),
        "marks": around("a", "!#$%&'*/=?^`{|}~", "b"),
        "special": around("a", '()<>[]:;,\\"', "b"),
        "other letters": one("anä", "用户", "аna", "ａna", "ana\u0301"),
        "control": anywhere("ana", CONTROLS),
        "invisible": anywhere("ana", INVISIBLE + BIDI),
        "two ats": one(f"ana@{EVIL}", "ana@", f"ana@{GOOD}"),
        "none": one(""),
        "long": one("a" * 65, "a" * 300),
    },
    "at": {
        "wide": one("＠", "﹫"),
        "escaped": one("%40", "&#64;", "=40", " at ", "(at)"),
        "blank": one(" @ ", " @", "@ ", "\t@", "@\n"),
        "comment": one("(x)@", "@(x)", f"@({EVIL})"),
        "none": one(""),
        "two": one("@@", "@ @"),
    },
    "domain": {
        "case": one("GOOD.example", "Good.Example"),
        "trailing dot": one(f"{GOOD}.", f"{GOOD}.."),
        "single label": one("localhost", "good"),
        "literal": one("[127.0.0.1]", "[IPv6:::1]", "[1.2.3.4", "127.0.0.1", f"[{EVIL}]"),
        "comment": one(f"(x){GOOD}", f"{GOOD}(x)", f"good(.{EVIL}).example", "good.(x)example"),
        "blank": one("good .example", "good. example", "good.exam ple"),
        "sharp s": one("busineß.example", "straße.example"),
        "final sigma": one("βόλος.example"),
        "A-label": one("xn--bcher-kva.example", "bücher.example"),
        "wide letters": one("ｇood.example", "good．example", "good。example"),
        "invisible": anywhere(GOOD, INVISIBLE + BIDI),
        "letterlike": one("good℀.evil.example", "good／.evil.example", "\u212aelvin.example"),
        "control": anywhere(GOOD, CONTROLS),
        "path": one(
            f"{GOOD}/x", f"{GOOD}?x", f"{GOOD}#x", f"{GOOD}:25", f"{GOOD}\\{EVIL}", f"{GOOD}%00.{EVIL}"
        ),
        "comma": one(f"{GOOD},{EVIL}", f"{GOOD};{EVIL}"),
        "underscore": one("a_b.example", "-a.example"),
        "long": one("a" * 64 + ".example"),
        "none": one(""),
    },
}
