# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001 - letters that look like others are what it is about
"""What URLs are put together from: for each part an ordinary way, and classes of ways to write it otherwise.

`good.example` is what a reader may take a text for, `evil.example` what it may lead to.
"""

from collections.abc import Callable, Mapping
from random import Random

Production = Callable[[Random], str]

GOOD, EVIL = "good.example", "evil.example"
#: Characters that a URL is cut at, and what is written for them.
DELIMITERS = "/?#\\@:%"
WIDE = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in map(chr, range(0x21, 0x7F))})
CONTROLS = "\t\n\r\0\x01\x0b\x0c\x1f\x7f\x85\u2028"
BLANKS = " \u00a0\u1680\u2003\u3000"
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u034f\u180e"
BIDI = "\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u061c"
_WORDS = ("good", "corp", "shop", "a1", "mail", "x-y", "static", "b2b", "n", "test-4")
_TOPS = ("example", "test", "example.com", "co.example")


def one(*texts: str) -> Production:
    """Make a production that gives one of some texts."""
    return lambda rng: rng.choice(texts)


def around(before: str, chars: str, after: str) -> Production:
    """Make a production that puts one of some characters between two texts."""
    return lambda rng: before + rng.choice(chars) + after


def escaped(before: str, chars: str, after: str) -> Production:
    """Make a production that puts one of some characters between two texts, percent-encoded."""

    def made(rng: Random) -> str:
        escape = f"%{ord(rng.choice(chars)):02X}"
        return before + (escape.lower() if rng.random() < 0.3 else escape) + after

    return made


def anywhere(text: str, chars: str) -> Production:
    """Make a production that puts one of some characters into a text, not at its ends."""

    def made(rng: Random) -> str:
        at = rng.randrange(1, len(text))
        return text[:at] + rng.choice(chars) + text[at:]

    return made


def name(rng: Random) -> str:
    """Return an ordinary name of a host."""
    labels = [rng.choice(_WORDS) for _ in range(rng.choice((1, 1, 2, 3)))]
    return ".".join((*labels, rng.choice(_TOPS)))


def dotted(rng: Random) -> str:
    """Return an address of IP version 4 as it should be written."""
    return ".".join(str(rng.choice((0, 1, 10, 127, 169, 192, 254, 255))) for _ in range(4))


def ipv6(rng: Random) -> str:
    """Return an address of IP version 6 in brackets."""
    return rng.choice(("[::1]", "[2001:db8::bad]", "[fe80::1]", "[2001:db8:0:1:1:1:1:1]", "[::]"))


def segment(rng: Random) -> str:
    """Return a piece of a path, of characters that RFC 3986 leaves as they are."""
    return "".join(rng.choice("abcXYZ019-._~!$&()*+,;=:@") for _ in range(rng.randrange(1, 9)))


def path(rng: Random) -> str:
    """Return an ordinary path without dot segments."""
    pieces = [segment(rng).strip(".") or "x" for _ in range(rng.randrange(4))]
    return "/" + "/".join(pieces)


def query(rng: Random) -> str:
    """Return no query, or an ordinary one."""
    return "" if rng.random() < 0.5 else f"?{segment(rng)}={segment(rng)}"


def _mixed(rng: Random) -> str:
    return "".join(char.upper() if rng.random() < 0.5 else char for char in GOOD)


def _numbered(form: str) -> Production:
    def made(rng: Random) -> str:
        first, last = rng.choice((127, 10, 192)), rng.randrange(1, 255)
        return form.format(first=first, last=last, whole=(first << 24) + last)

    return made


ORDINARY: Mapping[str, Production] = {
    "around": one("{}"),
    "scheme": one("http", "https"),
    "separator": one("://"),
    "user": one(""),
    "host": lambda rng: rng.choice((name, name, name, dotted, ipv6))(rng),
    "port": one("", "", "", ":8443", ":8080"),
    "path": path,
    "query": query,
    "fragment": one("", "", "#part"),
}

HOSTILE: Mapping[str, Mapping[str, Production]] = {
    "around": {
        "blank": lambda rng: rng.choice((f"{rng.choice(BLANKS)}{{}}", f"{{}}{rng.choice(BLANKS)}")),
        "control": lambda rng: rng.choice((f"{rng.choice(CONTROLS)}{{}}", f"{{}}{rng.choice(CONTROLS)}")),
        "invisible": lambda rng: rng.choice(INVISIBLE + BIDI) + "{}",
        "marks": one("<{}>", "<URL:{}>", "URL:{}", '"{}"', "({})", "[{}]", "`{}`"),
        "two": one("{} http://evil.example/", "{}\nhttp://evil.example/", "{},http://evil.example/"),
        "prefix": one(
            "http://evil.example/?u={}", "view-source:{}", "http:{}", "https:{}", "jar:{}!/x", "feed:{}"
        ),
    },
    "scheme": {
        "case": one("HTTP", "HttpS", "hTTp"),
        "other": one(
            "ftp",
            "file",
            "gopher",
            "javascript",
            "data",
            "blob",
            "ws",
            "wss",
            "ldap",
            "dict",
            "mailto",
            "about",
        ),
        "control": lambda rng: anywhere(rng.choice(("http", "https")), CONTROLS + BLANKS)(rng),
        "wide": one("ｈｔｔｐ", "http\u017f", "httpſ", "hｔtps"),
        "none": one(""),
    },
    "separator": {
        "one slash": one(":/"),
        "no slash": one(":"),
        "more slashes": one(":///", ":////", "://///"),
        "backslash": one(":\\\\", ":/\\", ":\\/", ":\\", "://\\"),
        "wide": one(":／／", "：//", ":∕∕", ":/／"),
        "escaped": one("%3A//", ":%2F%2F", ":/%2F"),
        "control": one(":\t//", ":/\t/", "://\t", ":/\n/", ":\r//", "://\0"),
        "blank": one(":// ", ": //", ":/ /", "://\u3000"),
        "no colon": one("//", "/", ""),
        "at": one("://@", ":@", "@//"),
    },
    "user": {
        "plain": one("user@", "user:secret@", f"{GOOD}@", f"{GOOD}:443@", f"http%3A%2F%2F{GOOD}@"),
        "escaped delimiter": escaped(GOOD, DELIMITERS + "\0\t\n .[", "@"),
        "slash": one(f"{GOOD}/@", f"{GOOD}:80/@"),
        "query": one(f"{GOOD}?@", f"{GOOD}:80?@"),
        "fragment": one(f"{GOOD}#@", f"{GOOD}:80#@"),
        "backslash": one(f"{GOOD}\\@", f"{GOOD}:80\\@", f"user:x\\@{GOOD}@", "\\@"),
        "two ats": one(f"user@{GOOD}@", f"user:x@{GOOD}:80@", "@@", f"user@{GOOD}:x@"),
        "empty": one("@", ":@", "::@"),
        "wide delimiter": around(GOOD, "＠／？＃＼：∕⁄℀", "@"),
        "wide at": around(GOOD, "＠﹫", ""),
        "bracket": one(f"[{GOOD}]@", "[::1]@", f"{GOOD}[@", f"[{GOOD}@", f"{GOOD}]@"),
        "control": around(GOOD, CONTROLS + BLANKS, "@"),
        "other letters": around("us", "éß中", "er@"),
    },
    "host": {
        "case": _mixed,
        "trailing dot": one(f"{GOOD}.", "localhost."),
        "trailing dots": one(f"{GOOD}..", "good..example"),
        "leading dot": one(f".{GOOD}"),
        "underscore": one("_a.good.example", "a_b.example", "a_.example"),
        "outer hyphen": one("-a.example", "a-.example", "a--b.example", "ab--c.example"),
        "single label": one("metadata", "localhost", "good", "intranet"),
        "long label": one("a" * 64 + ".example", "a" * 63 + ".example"),
        "long name": one(".".join(["a" * 60] * 5) + ".example"),
        "wide letters": one("ｇood.example", "ＧＯＯＤ.example", "ｅｖｉｌ.example"),
        "wide stop": around("good", "。．｡․﹒", "example"),
        "invisible": anywhere(GOOD, INVISIBLE),
        "sharp s": one("busineß.example", "STRAẞE.example", "ß.example"),
        "final sigma": one("βόλος.example", "ΒΌΛΟΣ.example"),
        "joiner": one("क्\u200dष.example", "نامه\u200cای.example", "a\u200db.example"),
        "dotless i": one("m\u0131ne.example", "M\u0130NE.example"),
        "compatible letter": one(
            "\u212aelvin.example", "\u017fhop.example", "ﬁne.example", "①.example", "ª.example"
        ),
        "composed": one("caf\u00e9.example", "cafe\u0301.example", "\u1e9b\u0323.example"),
        "letterlike": around(GOOD, "℀℅℁⁈⒈㏂⩴", f".{EVIL}"),
        "slash-like": around(GOOD, "／∕⁄⧸⟋", f".{EVIL}"),
        "delimiter-like": around(GOOD, "？＃＠＼：％", EVIL),
        "look-alike": one("gооd.example", "еvil.example", "αβγ.example"),
        "emoji": one("☃.example", "💩.example", "a\ufe0f.example"),
        "unassigned": one("a\u0378.example", "\U000e0041.example", "\ue000.example", "a\u2fe0.example"),
        "right to left": one("אבג.example", "a\u05d0.example", "\u0661a.example"),
        "bidi mark": anywhere(GOOD, BIDI),
        "A-label": one("xn--strae-oqa.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"),
        "bad A-label": one(
            "xn--.example", "xn--a.example", "xn--good-.example", "xn--strasse-.example", "xn--ls8h=.x"
        ),
        "escaped letter": one("%67ood.example", "good%2Eexample", "g%6Fod.example", "%65vil.example"),
        "escaped delimiter": escaped(GOOD, DELIMITERS + "\0\t\n []", f".{EVIL}"),
        "escaped bytes": one(
            "busine%C3%9F.example", "good%EF%BC%8Eexample", "good%E3%80%82example", "a%FF.example"
        ),
        "control": anywhere(GOOD, CONTROLS),
        "blank": anywhere(GOOD, BLANKS),
        "backslash": one(f"{GOOD}\\.{EVIL}", f"{GOOD}\\{EVIL}"),
        "forbidden mark": around(GOOD, '^|<>"`{}', f".{EVIL}"),
        "other mark": around("good", "!$&'()*+,;=~", ".example"),
        "decimal": _numbered("{whole}"),
        "octal": _numbered("0{first:o}.0.0.{last}"),
        "hexadecimal": _numbered("0x{whole:x}"),
        "hexadecimal parts": _numbered("0x{first:X}.0.0.0x{last:x}"),
        "short": _numbered("{first}.{last}"),
        "padded": _numbered("{first:03d}.000.000.{last:03d}"),
        "number with a dot": _numbered("{first}.0.0.{last}."),
        "number out of range": one(
            "256.1.1.1", "1.2.3.4.5", "4294967296", "1.2.3.256", "0x100000000", "09.1.1.1"
        ),
        "wide number": one("１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "0ｘ7f.1", "१२७.0.0.1"),
        "name ends in a number": one("good.1", "good.0x1", "1.good.08", "good.example.127"),
        "IPv6 long": one("[2001:0DB8:0:0:0:0:0:BAD]", "[0:0:0:0:0:0:0:1]", "[2001:DB8::1]"),
        "IPv6 of IPv4": one("[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::1.2.3.4]"),
        "IPv6 scoped": one("[fe80::1%25lo]", "[fe80::1%lo]", "[fe80::1%25none]", "[::1%25]", "[fe80::1%251]"),
        "IPv6 bare": one("::1", "2001:db8::bad", "fe80::1"),
        "bracket": one(
            f"[{GOOD}]", "[::1", "::1]", f"[::1].{EVIL}", f"[::1]{EVIL}", f"{EVIL}[::1]", "[v1.x]", "[]"
        ),
        "bracket number": one("[127.0.0.1]", "[::1.2.3.4.5]", "[1::2::3]", "[::1:]", "[12345::]"),
        "empty": one(""),
        "only marks": one(".", "..", "-", "*", "%", "_"),
    },
    "port": {
        "empty": one(":"),
        "default": one(":80", ":443"),
        "padded": one(":0080", ":00443", ":0000000080"),
        "zero": one(":0", ":00"),
        "too large": one(":65536", ":65616", ":131152", ":99999"),
        "huge": one(":4294967376", ":18446744073709551696"),
        "negative": one(":-80", ":-1", ":-65456"),
        "sign or blank": one(":+80", ": 80", ":80 ", ":8_0"),
        "wide digits": one(":８０", ":٨٠", ":८०", ":⑧⓪"),
        "hexadecimal": one(":0x50", ":1e2", ":http"),
        "two": one(":80:443", ":80:", "::80", f":80@{EVIL}"),
        "control": one(":8\t0", ":80\t", ":\t80", ":80\n", ":80\0", ":80\r"),
        "of another service": one(":25", ":22", ":6667", ":6000", ":1"),
    },
    "path": {
        "dots": one("/a/../b", "/../b", "/./a", "/a/..", "/a/b/./../c", "/...", "/a//../b"),
        "escaped dots": one("/a/%2e%2e/b", "/a/.%2E/b", "/%2e/a", "/a/%2e%2e%2fb"),
        "none, fragment": one(f"#@{EVIL}/", f"#{EVIL}", f"#:80@{EVIL}/"),
        "none, query": one(f"?@{EVIL}/", f"?u={EVIL}", f"?x=http://{EVIL}/"),
        "none, backslash": one(f"\\@{EVIL}/", f"\\{EVIL}", f"\\\\{EVIL}/"),
        "none, semicolon": one(f";@{EVIL}/", f";{EVIL}", f"&@{EVIL}/", f",{EVIL}"),
        "backslash": one("/a\\b", "/a\\..\\b", f"/\\{EVIL}/"),
        "double slash": one("//a", f"//{EVIL}/", "/a//b"),
        "escaped delimiter": escaped("/a", DELIMITERS + "\0\n\r;&=+", "b"),
        "escaped letter": one("/%61%62", "/%7Euser", "/a%2Db"),
        "lower-case escape": one("/a%2fb", "/%c3%a9"),
        "bad escape": one("/%zz", "/%", "/%2", "/%u002F", "/%%32F"),
        "blank": one("/a b", "/a ", "/ a"),
        "control": around("/a", CONTROLS, "b"),
        "other letters": one("/é", "/中/文", "/a\u00adb", "/e\u0301", "/💩", "/／a"),
        "other mark": around("/a", "\"<>^`{|}[]'", "b"),
        "nested": one(f"/http://{EVIL}/", f"/@{EVIL}/", f"/x@{EVIL}:80/"),
        "injection": one(f"/ HTTP/1.1\r\nHost: {EVIL}\r\n\r\n", f"/\r\nX: y\r\n\r\nGET http://{EVIL}/"),
    },
    "query": {
        "empty": one("?", "?#"),
        "apostrophe": one("?q=it's"),
        "escaped": escaped("?q=a", DELIMITERS + "&=+;\0\n'", "b"),
        "escaped letter": one("?q=%61", "?%71=a"),
        "plus or blank": one("?q=a+b", "?q=a b", "?q=a%20b"),
        "other letters": one("?q=é", "?q=中", "?q=💩"),
        "other mark": around("?q=a", '"<>^`{|}[]\\?/', "b"),
        "bad escape": one("?q=%", "?q=%zz"),
        "control": around("?q=a", CONTROLS, "b"),
        "nested": one(f"?u=http://{EVIL}/", f"?u=//user@{EVIL}/", f"?@{EVIL}/"),
    },
    "fragment": {
        "at": one(f"#@{EVIL}/", f"#//{EVIL}/"),
        "two": one("#a#b", "##"),
        "escaped": one("#%23", "#%0d%0a"),
        "other": one("#é", "#a b", "#\\", "#\t"),
    },
}


def mutated(rng: Random, text: str) -> tuple[str, str]:
    """Change one place of a text; gives the kind of change too."""
    at = rng.randrange(len(text) + 1)
    before, char, after = text[:at], text[at : at + 1], text[at + 1 :]
    kind = rng.choice(("inserted", "escaped", "widened", "doubled", "dropped", "swapped"))
    changed = {
        "inserted": rng.choice(CONTROLS + BLANKS + INVISIBLE + BIDI + DELIMITERS + "[]<>|") + char,
        "escaped": "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass")),
        "widened": char.translate(WIDE),
        "doubled": char * 2,
        "dropped": "",
        "swapped": rng.choice(DELIMITERS),
    }
    return f"mutation: {kind}", before + changed[kind] + after
