# SPDX-License-Identifier: Apache-2.0
"""Threat: an argument that reads as permitted to the gateway and as something else to the upstream."""

import pytest

from remit.core.tasks.grant import Grant
from remit.core.tools.constraint import load

PATHS = {
    "parent": "contracts/../hr/pay.md",
    "parent at the end": "contracts/..",
    "parent at the start": "../contracts/a.md",
    "current": "contracts/./a.md",
    "current at the start": "./contracts/a.md",
    "doubled slash": "contracts//a.md",
    "slash at the end": "contracts/a.md/",
    "percent-encoded dots": "contracts/%2e%2e/hr/pay.md",
    "percent-encoded slash": "contracts/..%2Fhr%2Fpay.md",
    "percent-encoded twice": "contracts/%252e%252e/hr/pay.md",
    "overlong UTF-8, percent-encoded": "contracts/%c0%ae%c0%ae/hr/pay.md",
    "IIS unicode escape": "contracts/%u002e%u002e/hr/pay.md",
    "full-width dots": "contracts/\uff0e\uff0e/hr/pay.md",
    "full-width slash": "contracts/..\uff0fhr",
    "one-dot leaders": "contracts/\u2024\u2024/hr",
    "two-dot leader": "contracts/\u2025/hr",
    "ellipsis": "contracts/\u2026/hr",
    "division slash": "contracts/..\u2215hr",
    "fraction slash": "contracts/..\u2044hr",
    "big solidus": "contracts/..\u29f8hr",
    "set minus": "contracts/..\u2216hr",
    "ideographic full stop": "contracts/\u3002\u3002/hr",
    "backslash": "contracts\\..\\hr\\pay.md",
    "backslash in a name": "contracts/a\\..\\..\\hr",
    "UNC": "\\\\server\\share\\a.md",
    "UNC with slashes": "//server/share/a.md",
    "drive letter": "C:/contracts/a.md",
    "drive-relative": "c:contracts/a.md",
    "home": "~/contracts/a.md",
    "another's home": "~root/.ssh/id",
    "absolute": "/contracts/a.md",
    "NUL": "contracts/a.md\0.png",
    "newline at the end": "contracts/a.md\n",
    "newline between": "contracts/a.md\n../hr",
    "carriage return": "contracts/a.md\r",
    "escape": "contracts/\x1b[2K.md",
    "delete": "contracts/\x7f.md",
    "zero-width space": "contracts/.\u200b./hr",
    "zero-width joiner": "contracts/.\u200d./hr",
    "right-to-left override": "contracts/\u202edm.a",
    "byte order mark": "\ufeffcontracts/a.md",
    "soft hyphen": "contracts/.\u00ad./hr",
    "variation selector": "contracts/.\ufe0f./hr",
    "combining grapheme joiner": "contracts/.\u034f./hr",
    "hangul filler": "contracts/\u3164/a.md",
    "tag characters": "contracts/\U000e0041.md",
    "no-break space": "contracts/\u00a0/a.md",
    "line separator": "contracts/a\u2028.md",
    "decomposed letter": "contracts/u\u0308bersicht.md",
    "compatibility letters": "\uff43ontracts/a.md",
    "lone surrogate": "contracts/\udc2e\udc2e/hr",
    "dot at a name's end": "contracts/.../a.md",
    "parent with a blank": "contracts/.. /hr",
    "parent with a dot": "contracts/a./hr",
    "blank first": " contracts/a.md",
    "blank last": "contracts/a.md ",
    "empty": "",
    "huge": "contracts/" + "a" * 5000,
    "sibling with the same beginning": "contracts-old/a.md",
    "another case": "Contracts/a.md",
    "cyrillic look-alike": "\u0441ontracts/a.md",
    "long s": "contract\u017f/a.md",
    "URL": "file:///contracts/a.md",
    "file URL": "file:/contracts/a.md",
    "not a string": ["contracts/a.md"],
    "an object": {"path": "contracts/a.md"},
    "null": None,
    "a number": 7,
}


@pytest.mark.parametrize("value", PATHS.values(), ids=PATHS.keys())
@pytest.mark.parametrize(
    "spec", [{"path_under": "contracts"}, {"glob": "contracts/**"}, {"glob": "contracts/*.md"}]
)
def test_a_path_that_is_not_plainly_inside_is_refused(spec: dict[str, object], value: object) -> None:
    """No escape, encoding or look-alike gets out of a directory, and the refusal gives a reason."""
    grant = Grant("files/read", {"path": spec})
    refusals = grant.permits({"path": value})
    assert refusals
    assert all(refusal.reason and refusal.remediation for refusal in refusals)


NOT_PLAIN = {k: v for k, v in PATHS.items() if k not in {"sibling with the same beginning", "absolute",
             "cyrillic look-alike", "file URL"}}  # fmt: skip


@pytest.mark.parametrize("value", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_a_negation_does_not_permit_what_cannot_be_read(value: object) -> None:
    """`not` of a path constraint permits only what is understood to be elsewhere."""
    for inner in ({"path_under": "contracts"}, {"glob": "contracts/**"}):
        assert Grant("files/read", {"path": {"not": inner}}).permits({"path": value})


@pytest.mark.parametrize(
    "value",
    ["contracts/a.md", "contracts", "contracts/.draft/a b.md", "contracts/Übersicht.md",
     "contracts/契約/第.md", "contracts/50% off.md", "contracts/a..b.md", "contracts/-x", "contracts/a~1.md"],
)  # fmt: skip
def test_an_ordinary_path_inside_is_permitted(value: str) -> None:
    """Dot files, blanks, other scripts and a lone percent sign are ordinary."""
    assert Grant("files/read", {"path": {"path_under": "contracts/"}}).permits({"path": value}) == ()


ADDRESSES = {
    "another domain": "a@evil.example",
    "display name": "Ann <a@example.org>",
    "angle brackets": "<a@example.org>",
    "two addresses": "a@evil.example,a@example.org",
    "two addresses with a semicolon": "a@evil.example;b@example.org",
    "two at signs": "a@evil.example@example.org",
    "source route": "@evil.example:a@example.org",
    "percent hack": "a%evil.example@example.org",
    "bang path": "evil.example!a@example.org",
    "quoted local part": '"a@evil.example "@example.org',
    "comment": "a@example.org(evil)",
    "comment before": "a(x)@example.org",
    "header injection": "a@example.org\nBcc: e@evil.example",
    "carriage return": "a@example.org\r\nBcc: e@evil.example",
    "blank": "a@example.org ",
    "tab": "a@\texample.org",
    "NUL": "a@example.org\0.evil.example",
    "subdomain": "a@x.example.org",
    "suffix": "a@notexample.org",
    "prefix": "a@example.org.evil.example",
    "dot at the end": "a@example.org.",
    "address literal": "a@[192.0.2.1]",
    "cyrillic domain": "a@ex\u0430mple.org",
    "full-width at": "a\uff20example.org",
    "full-width dot": "a@example\uff0eorg",
    "A-label of a look-alike": "a@xn--exmple-4nf.org",
    "encoded word": "=?utf-8?q?a=40evil.example=3e=00?=foo@example.org",
    "encoded word in base64": "=?utf-8?b?YUBldmlsLmV4YW1wbGU+AA==?=foo@example.org",
    "encoded word inside": "foo.=?utf-8?q?a=40evil.example?=@example.org",
    "option": "-oQ/tmp@example.org",
    "empty local part": "@example.org",
    "no domain": "a@",
    "pipe": "|sh@example.org",
    "unicode local part": "\u0430@example.org",
    "array": ["a@example.org"],
    "long": "a" * 300 + "@example.org",
    "kelvin": "a@e\u212aample.org",
    "lone surrogate": "a\ud800@example.org",
}


@pytest.mark.parametrize("value", ADDRESSES.values(), ids=ADDRESSES.keys())
def test_only_one_plain_address_in_the_domain_is_permitted(value: object) -> None:
    """Whatever mail programs may read a second recipient or another domain into is refused."""
    assert Grant("mail/send", {"to": {"email_domain": ["example.org"]}}).permits({"to": value})


def test_plain_addresses_are_permitted() -> None:
    """Case of the domain does not count, and a dot in front admits the domains below."""
    grant = Grant("mail/send", {"to": {"email_domain": ["example.org", ".corp.example"]}})
    for value in ("ann.lee+x@example.org", "o'neil@EXAMPLE.org", "a@b.corp.example"):
        assert grant.permits({"to": value}) == ()
    assert grant.permits({"to": "a@corp.example"})


URLS = {
    "another host": "https://evil.example/",
    "user information": "https://example.org@evil.example/",
    "user and password": "https://example.org:443@evil.example/",
    "user information before": "https://evil.example@example.org/",
    "backslash": "https://evil.example\\@example.org/",
    "backslashes": "https:\\\\example.org/",
    "question mark before at": "https://evil.example?@example.org/",
    "fragment before at": "https://example.org#@evil.example/",
    "query on the host": "https://example.org?x=1",
    "suffix": "https://example.org.evil.example/",
    "prefix": "https://notexample.org/",
    "subdomain": "https://x.example.org/",
    "dot at the end": "https://example.org./",
    "percent-encoded host": "https://ex%61mple.org/",
    "another port": "https://example.org:8443/",
    "the other scheme's port": "https://example.org:80/",
    "empty port": "https://example.org:/",
    "long port": "https://example.org:0443/",
    "huge port": "https://example.org:65979/",
    "another scheme": "ftp://example.org/",
    "script": "javascript://example.org/%0aalert(1)",
    "no scheme": "//example.org/",
    "one slash": "https:/example.org/",
    "three slashes": "https:///example.org/",
    "blank first": " https://example.org/",
    "newline": "https://example.org/\n",
    "tab in the scheme": "ht\ttps://example.org/",
    "newline in the host": "https://exam\nple.org/",
    "cyrillic": "https://ex\u0430mple.org/",
    "full-width dot": "https://example\uff0eorg/",
    "ideographic full stop": "https://example\u3002org/",
    "soft hyphen": "https://exam\u00adple.org/",
    "loopback": "http://127.0.0.1/",
    "decimal address": "http://2130706433/",
    "octal address": "http://0177.0.0.1/",
    "hexadecimal address": "http://0x7f.0.0.1/",
    "short address": "http://127.1/",
    "zero": "http://0/",
    "IPv6": "http://[::1]/",
    "mapped IPv6": "http://[::ffff:127.0.0.1]/",
    "IPv6 zone": "http://[fe80::1%25eth0]/",
    "metadata service": "http://169.254.169.254/latest/",
    "underscore": "https://_.example.org/",
    "array": ["https://example.org/"],
    "huge": "https://example.org/" + "a" * 9000,
    "lone surrogate": "https://example.org/\ud800",
}


@pytest.mark.parametrize("value", URLS.values(), ids=URLS.keys())
def test_only_a_plain_url_of_the_host_is_permitted(value: object) -> None:
    """No spelling on which URL parsers disagree is permitted; nor does a negation permit an odd one."""
    assert Grant("web/get", {"url": {"url_host": ["example.org"]}}).permits({"url": value})


@pytest.mark.parametrize(
    "value", ["http://2130706433/", "http://0177.0.0.1/", "http://127.1/", "http://[::1]/", "http://127.0.0.1./",
              "http://x@127.0.0.1/", "HTTP://127.0.0.1"])  # fmt: skip
def test_a_negated_address_stays_refused_in_other_spellings(value: str) -> None:
    """`not` of an address does not permit its decimal, octal or short form, nor any other address."""
    assert Grant("web/get", {"url": {"not": {"url_host": ["127.0.0.1"]}}}).permits({"url": value})


def test_plain_urls_are_permitted() -> None:
    """The scheme's own port may be written; other ports and addresses fit where they are listed."""
    grant = Grant(
        "web/get", {"url": {"url_host": ["example.org", ".api.example", "192.0.2.1", "x.example:8443"]}}
    )
    for value in ("https://example.org", "HTTPS://EXAMPLE.org:443/a?b=@c#d", "http://v1.api.example/%2e%2e/",
                  "http://192.0.2.1/", "https://x.example:8443/"):  # fmt: skip
        assert grant.permits({"url": value}) == (), value
    assert grant.permits({"url": "https://x.example/"})


TEXTS = [
    ({"pattern": "[a-z]+"}, "abc\n"),
    ({"pattern": "^[a-z]+$"}, "abc\n"),
    ({"pattern": "(?m)^[a-z]+$"}, "abc\nDROP"),
    ({"pattern": "[0-9]+"}, "\u0661\u0662"),
    ({"pattern": r"\d+"}, "\uff11"),
    ({"pattern": "(?i)kelvin"}, "\u212aelvin"),
    ({"pattern": "(?i:ss)"}, "\u017fs"),
    ({"pattern": "a|b"}, "bc"),
    ({"pattern": "(a+)+b"}, "a" * 16000),
    ({"pattern": "a*"}, "a" * 100_000),
    ({"pattern": "a"}, "\ud800"),
    ({"exact": "admin"}, "admin "),
    ({"exact": "admin"}, "ADMIN"),
    ({"exact": "admin"}, "\uff41dmin"),
    ({"exact": "admin"}, "adm\u200bin"),
    ({"exact": 1}, True),
    ({"exact": 1}, "1"),
    ({"exact": True}, 1),
    ({"exact": False}, 0),
    ({"exact": None}, False),
    ({"exact": ""}, None),
    ({"exact": [1]}, [True]),
    ({"one_of": [0, 1]}, False),
    ({"one_of": ["a", "b"]}, ["a"]),
    ({"range": {"min": 0}}, True),
    ({"range": {"min": 0}}, "5"),
    ({"range": {"min": 0}}, float("nan")),
    ({"range": {"min": 0}}, float("inf")),
    ({"range": {"max": 10}}, 10**400),
    ({"length": {"max": 3}}, {"a": 1}),
    ({"prefix": "C-"}, "C-1\0"),
    ({"prefix": "C-"}, "C-\u202e1"),
    ({"prefix": "C-"}, "c-1"),
    ({"each": {"exact": "a"}}, "a"),
    ({"fields": {"a": {"exact": 1}}}, {"a": 1, "b": 2}),
    ({"fields": {"a": {"exact": 1}}}, {}),
]


@pytest.mark.parametrize(("spec", "value"), TEXTS, ids=range(len(TEXTS)))
def test_a_value_that_only_looks_right_is_refused(spec: dict[str, object], value: object) -> None:
    """Types are strict, matches are whole, and no pattern backtracks."""
    assert Grant("x/y", {"a": spec}).permits({"a": value})


NEGATED = [
    ({"exact": "admin"}, ["ADMIN", "admin ", "\uff41dmin", "adm\u200bin", "admin\0", 1, None, ["admin"]]),
    ({"exact": 0}, ["0", False, None, [0]]),
    ({"one_of": ["root", "admin"]}, ["Root", "root\n", 0]),
    ({"pattern": ".*secret.*"}, ["secret\n", "a\nsecret", "se\u200bcret", 5]),
    ({"pattern": "(?i).*secret.*"}, ["\u017fecret"]),
    ({"path_under": "secrets"}, [".", "Secrets/a", "secrets", "SECRET~1/a", "/secrets/a"]),
    ({"path_under": "a/secrets"}, ["a", "A/Secrets/x"]),
    ({"glob": "a/*.key"}, ["a", ".", "A/x.KEY", "a/b~1.ke"]),
    ({"glob": "a/*/c"}, ["a/b", "a"]),
    ({"all": [{"path_under": "secrets"}, {"exact": 5}]}, ["public/a"]),
    ({"of_tomorrow": 1}, ["anything", 1, None]),
]


@pytest.mark.parametrize(("spec", "values"), NEGATED, ids=range(len(NEGATED)))
def test_a_negation_refuses_look_alikes_of_what_it_forbids(
    spec: dict[str, object], values: list[object]
) -> None:
    """What a constraint cannot decide, its negation does not permit."""
    grant = Grant("x/y", {"a": {"not": spec}})
    for value in values:
        assert grant.permits({"a": value}), value


@pytest.mark.parametrize(
    "name", ["Path", "PATH", "pa_th", "path ", "p\u0430th\u200b", "\uff50ath", "path\0", "p-ath"]
)
def test_an_argument_that_looks_like_a_constrained_one_is_refused(name: str) -> None:
    """Even where other arguments are permitted, none may shadow a constrained one in a careless upstream."""
    grant = Grant("files/read", {"path": {"path_under": "contracts"}}, other_arguments=True)
    assert grant.permits({"path": "contracts/a", "limit": 3}) == ()
    if name != "p\u0430th\u200b":  # another letter: another argument
        assert grant.permits({"path": "contracts/a", name: "hr/pay.md"})


def test_a_pattern_of_exponential_fame_is_matched_in_linear_time() -> None:
    """The classic catastrophes come back at once, because RE2 never backtracks."""
    for pattern in ("(a+)+$", "(a|aa)+", "(a|a?)+", "(.*a){12}", "([a-zA-Z]+)*"):
        load({"pattern": pattern}).judge("a" * 16_000 + "!")
