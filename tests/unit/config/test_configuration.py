# SPDX-License-Identifier: Apache-2.0
"""`remit.yaml`: what it means, and what is said when it means nothing."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.cli.exit_codes import exit_code, told
from remit.config import load_config, problems
from remit.config.reading.secret_reference import SecretRef, looks_secret, read_secret
from remit.config.reading.units import duration_s, shown_duration, shown_size, size_bytes
from remit.config.reading.yaml_lines import read_yaml
from remit.core.errors import ConfigInvalid, KeyUnavailable
from tests.samples.config_files import UPSTREAM, config, refusals


def test_an_upstream_is_all_that_must_be_given(tmp_path: Path) -> None:
    """Everything but upstreams has a default: this machine alone, and durable."""
    got = config(tmp_path, UPSTREAM)
    assert got.listen.url == "http://127.0.0.1:8700"
    assert (got.store.durability, got.tenant, got.upstreams["notes"].mode) == (
        "durable",
        "default",
        "enforce",
    )
    assert got.limits.max_request_bytes == 2**20
    assert got.at(got.store.path) == tmp_path / ".remit" / "remit.db"


def test_functions_alone_are_enough_to_govern(tmp_path: Path) -> None:
    """An agent whose tools are all its own needs no upstream; they own tools like one."""
    got = config(tmp_path, "functions: {billing: {report_within_s: 5m}}\n")
    assert got.governed == ("billing",)
    assert got.functions["billing"].report_within_s == 300


def test_what_remit_carries_out_is_never_a_function(tmp_path: Path) -> None:
    """A name owns tools in one way only, and remit's own name in none."""
    (told,) = refusals(tmp_path, UPSTREAM + "functions: {notes: {}}\n")
    assert "functions.notes" in told
    (told,) = refusals(tmp_path, UPSTREAM + "functions: {remit: {}}\n")
    assert "reserved for remit" in told


def test_the_file_may_be_named_or_its_folder(tmp_path: Path) -> None:
    """`remit.yaml` of a folder and the file itself give the same configuration."""
    assert config(tmp_path, UPSTREAM) == load_config(tmp_path / "remit.yaml")


def test_a_secret_is_never_waited_for(tmp_path: Path) -> None:
    """A pipe in the place of a secret would keep every command waiting that looks at it."""
    os.mkfifo(tmp_path / "secret", 0o600)
    with pytest.raises(KeyUnavailable, match="plain file"):
        read_secret("file:secret", name="TOKEN", folder=tmp_path).resolve()


def test_sizes_and_durations_take_units(tmp_path: Path) -> None:
    """`64 KiB` is 65536 bytes and `1h 30m` is 5400 seconds; bare numbers are bytes and seconds."""
    limits = config(
        tmp_path,
        UPSTREAM + "limits: {max_request_bytes: 64 KiB, call_timeout_s: 1h 30m, approval_ttl_s: 60}\n",
    ).limits
    assert (limits.max_request_bytes, limits.call_timeout_s, limits.approval_ttl_s) == (65536, 5400, 60)


def test_an_escalation_is_before_the_end_of_its_question(tmp_path: Path) -> None:
    """A step that no question reaches is named; break-glass is off unless a group is named."""
    steps = "approvals: {escalate: [{after: 5m, to: leads}, {after: 15m, to: board}]}\n"
    (told,) = refusals(tmp_path, UPSTREAM + steps)
    assert "approvals.escalate.1.after" in told
    assert config(tmp_path, UPSTREAM + steps.replace("15m", "10m")).approvals.break_glass is None


def test_one_large_request_must_find_room(tmp_path: Path) -> None:
    """What all requests may take together is at least four times what one may."""
    (told,) = refusals(tmp_path, UPSTREAM + "limits: {max_request_bytes: 64 MiB}\n")
    assert "one large request could not be read" in told


@given(st.integers(0, 2**50))
def test_a_written_size_is_read_back(count: int) -> None:
    """What `shown_size` writes, `size_bytes` reads."""
    assert size_bytes(shown_size(count)) == count


@given(st.integers(0, 10**8))
def test_a_written_duration_is_read_back(seconds: int) -> None:
    """What `shown_duration` writes, `duration_s` reads."""
    assert duration_s(shown_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "written", ["", "1", "1 X", "-1 s", "1.5h", "1 MiB ", "s", True, None, -1, 1.0, "1 m x"]
)
def test_what_is_no_quantity_is_refused(written: object) -> None:
    """A number without a unit in quotes, a fraction or a negative number is neither a size nor a duration."""
    with pytest.raises(ValueError, match="must be"):
        size_bytes(written)
    with pytest.raises(ValueError, match="must be"):
        duration_s(written)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("upstream: {}\n" + UPSTREAM, "remit.yaml:1: `upstream`: unknown key; did you mean `upstreams`?"),
        (UPSTREAM + "listen: {prot: 1}\n", "remit.yaml:2: `listen.prot`: unknown key; did you mean `port`?"),
        (UPSTREAM + "listen: {port: '1'}\n", "`listen.port`: must be a whole number"),
        (UPSTREAM + "listen: {port: 65536}\n", "`listen.port`: is too large; write at most 65535"),
        (UPSTREAM + "listen: [1]\n", "`listen`: must be a mapping; its keys: host, port, public_url"),
        (UPSTREAM + "tenant: 7\n", "`tenant`: must be a text; put it in quotes"),
        (UPSTREAM + "tenant: Acme\n", "`tenant`: `Acme` cannot be a name here"),
        (UPSTREAM + "store: {durability: durible}\n", "did you mean `durable`?"),
        (UPSTREAM + "store: {kind: postgres}\n", "`store.kind`: needs the address of PostgreSQL"),
        (UPSTREAM + "store: {url: 'env:DB'}\n", "`store.url`: has no effect with a file"),
        (
            UPSTREAM + "store: {kind: postgres, url: 'postgresql://a:b@db.example/r'}\n",
            "`store.url`: looks like a literal secret",
        ),
        (UPSTREAM + "limits: {call_timeout_s: soon}\n", "must be a duration; write seconds or units"),
        (UPSTREAM + "classes: {clearance: {internal: secret}}\n", "`secret` is not a data class"),
        (UPSTREAM + "classes: {clearance: {everyone: public}}\n", "`everyone` is not an audience"),
        (UPSTREAM + "keys: {path: x}\nlog_head: {path: x}\n", "remit.yaml:3: `log_head.path`: is used twice"),
        ("tenant: a\n", "remit.yaml:1: `upstreams`: is missing; add `upstreams:`"),
        ("", "`upstreams`: is missing"),
        ("upstreams: {}\n", "`upstreams`: is empty; add at least one entry"),
        ("upstreams: {remit: {url: 'http://localhost:1'}}\n", "`upstreams.remit`: `remit` is reserved for"),
        ("upstreams: {a: {}}\n", "`upstreams.a`: has neither `command` nor `url`"),
        ("upstreams: {a: {command: [x], url: 'http://x'}}\n", "has both `command` and `url`"),
        ("upstreams: {a: {command: [x], headers: {X-A: b}}}\n", "has no meaning beside `command`"),
        ("upstreams: {a: {url: 'ftp://x'}}\n", "is not an http or https URL"),
        ("upstreams: {a: {url: 'http://u:p@x'}}\n", "contains a name or password"),
        (
            "upstreams: {a: {url: 'http://x', headers: {Host: b}}}\n",
            "`upstreams.a.headers.Host`: cannot be set",
        ),
        ("upstreams: {a__b: {command: [x]}}\n", "no `__`"),
        ("upstreams: {a_: {command: [x]}}\n", "no `_` at the end"),
    ],
)
def test_each_mistake_is_one_line_with_its_place_and_the_way_out(
    tmp_path: Path, text: str, said: str
) -> None:
    """The message names file, line, key and the remediation, on one line."""
    (first, *others) = refusals(tmp_path, text)
    assert said in first
    assert first.startswith("remit.yaml:")
    assert "\n" not in first
    assert not others


def test_the_exception_says_how_many_problems_there_are(tmp_path: Path) -> None:
    """All problems are found in one go; the exception is the first and counts the others."""
    with pytest.raises(ConfigInvalid, match=r"remit\.yaml:2: `tennant`.*2 more problems") as caught:
        config(tmp_path, UPSTREAM + "tennant: a\nlisten: {port: x}\nstore: 1\n")
    assert (caught.value.line, caught.value.key) == (2, "tennant")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Without a configuration the remediation is `remit init`."""
    with pytest.raises(ConfigInvalid, match=r"remit\.yaml: file does not exist; .*remit init"):
        load_config(tmp_path)
    assert len(problems(tmp_path)) == 1


def test_classes_of_ones_own_have_a_clearance(tmp_path: Path) -> None:
    """Where only the classes are named, `self` is cleared for the highest and `external` for the lowest."""
    classes = config(tmp_path, UPSTREAM + "classes: {order: [open, closed]}\n").data_classes
    assert classes.clearance == {"self": "closed", "internal": "open", "external": "open"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3: `a`: is given twice, first in line 1"),
        ("a: &x 1\n", "anchor"),
        ("a: *x\n", "anchor"),
        ("a: !!python/object:os.system x\n", "tag"),
        ("!x a: 1\n", "tag"),
        ("<<: {a: 1}\n", "merge key"),
        ("--- \na: 1\n---\nb: 1\n", "f:3: contains a second document"),
        ("%YAML 1.1\n---\na: 1\n", "directive"),
        ("[a, b]: 1\n", "key that is not plain text"),
        ("a: [1\n", "is not YAML"),
        ("a: b: c\n", "f:1: is not YAML"),
        ("\ta: 1\n", "f:1: is not YAML: a tab indents this line"),
        ("a:\n  b: 1\n \tc: 1\n", "f:3: is not YAML: a tab indents this line"),
        ("a: \x01\n", "f:1: is not YAML"),
        ("é: 1\nb: 2\na: \x01\n", "f:3: is not YAML"),
        ("a: \ud800\n", "f:1: is not YAML"),
        ("a: [\n1\n", "f:3: is not YAML"),
        ('a: "\\ud83d"\n', "f:1: is not YAML"),
        ("a: .inf\n", "finite"),
        ("a: " + "[" * 40 + "]" * 40, "nested too deeply"),
        ("a: " + "9" * 400, "too large a number"),
    ],
)
def test_yaml_that_could_be_read_in_two_ways_is_refused(text: str, said: str) -> None:
    """Duplicate keys, anchors, tags, merge keys, directives and second documents are refused."""
    with pytest.raises(ConfigInvalid) as caught:
        read_yaml(text, "f")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_words_mean_what_yaml_1_2_says() -> None:
    """`no` and `on` are texts, `0o17` is 15, `017` is 17, quoted numbers are texts."""
    got = read_yaml("{a: no, b: on, c: 0o17, d: 017, e: '1', f: ~, g: true, h: 1e3, i: 1_0, j: 12:30}", "f")
    assert got.plain() == {
        "a": "no", "b": "on", "c": 15, "d": 17, "e": "1", "f": None, "g": True,
        "h": 1000.0, "i": "1_0", "j": "12:30",
    }  # fmt: skip


def test_texts_over_several_lines_hold_what_was_written() -> None:
    """Folded and literal texts, quoted ones with escapes, and a comment where a value would be."""
    got = read_yaml('a: >-\n  one\n  two\nb: |\n  one\n  two\nc: "x\\n\\u00e9\\/"\nd: # none\ne: 1\n', "f")
    assert got.plain() == {"a": "one two", "b": "one\ntwo\n", "c": "x\né/", "d": None, "e": 1}
    assert [got.line_of(key) for key in "abcde"] == [1, 4, 7, 8, 9]


_SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text("aé{[:'\\\"\n\t #-~", max_size=20)
)


@given(
    st.recursive(
        _SCALARS, lambda below: st.lists(below) | st.dictionaries(st.text("ab:#"), below), max_leaves=20
    )
)
def test_json_is_read_as_json(value: object) -> None:
    """YAML 1.2 holds JSON: what a program writes is read as it was meant, indented or not."""
    for indent in (None, 1):
        assert read_yaml(json.dumps({"it": value}, indent=indent), "f").plain() == {"it": value}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader raise anything but `ConfigInvalid`."""
    with contextlib.suppress(ConfigInvalid):
        read_yaml(text, "f").plain()


def test_a_secret_is_read_where_it_is_named(tmp_path: Path) -> None:
    """`env:` and `file:` references resolve, with a leading word if there is one."""
    (tmp_path / "token").write_text("s3\n")
    (tmp_path / "token").chmod(0o600)
    by_file = read_secret("Bearer file:token", name="Authorization", folder=tmp_path)
    assert by_file.resolve() == "Bearer s3"
    by_name = read_secret("env:TOKEN", name="Authorization", folder=tmp_path)
    assert by_name.resolve({"TOKEN": "s4"}) == "s4"
    assert "s3" not in repr(by_file)
    assert repr(SecretRef("plain", "visible")) == "SecretRef(plain)"


def test_a_secret_that_is_not_there_is_named_not_shown(tmp_path: Path) -> None:
    """An unset variable, a missing file and a value of two lines each raise `KeyUnavailable`."""
    with pytest.raises(KeyUnavailable, match="`TOKEN` is not set"):
        SecretRef("env", "TOKEN").resolve({})
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        SecretRef("file", str(tmp_path / "none")).resolve()
    with pytest.raises(KeyUnavailable, match="more than one line") as caught:
        SecretRef("env", "TOKEN").resolve({"TOKEN": "hush\r\nX-Evil: 1"})
    assert "hush" not in str(caught.value)


def test_a_secret_that_is_not_there_says_where_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator who starts remit gets file, line and key, the remediation, and exit code 2; a caller does
    not.
    """
    (tmp_path / "remit.yaml").write_text(
        "upstreams:\n  wiki:\n    url: https://wiki.example/mcp\n    headers:\n"
        "      Authorization: Bearer file:none\n      X-Desk: env:NO_SUCH_NAME\n"
    )
    headers = load_config(tmp_path).upstreams["wiki"].headers
    for name, line in (("Authorization", 5), ("X-Desk", 6)):
        with pytest.raises(KeyUnavailable) as caught:
            headers[name].resolve()
        assert "remit.yaml" not in str(caught.value)
        assert told(caught.value, exit_code(caught.value, 3)) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"error: remit.yaml:{line}: `upstreams.wiki.headers.{name}`: ")
        assert caught.value.remediation in said


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="mode bits mean nothing on this platform")
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o640, 0o660])
def test_a_secret_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    """A file of one's own that its group or others may read or write is no place for a secret."""
    (tmp_path / "token").write_text("s3")
    (tmp_path / "token").chmod(mode)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        SecretRef("file", str(tmp_path / "token")).resolve()


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdefghijkl",
        "ghp_" + "a1" * 18,
        "sk-" + "a" * 24,
        "AKIA" + "A" * 16,
        "-----BEGIN RSA PRIVATE KEY-----",
        "postgres://app:hunter2@db.example.org/x",
    ],
)
def test_what_looks_like_a_secret_is_taken_for_one(text: str) -> None:
    """Well-known forms of credentials are refused under any name."""
    assert looks_secret(text)
    with pytest.raises(ConfigInvalid, match="env:NAME") as caught:
        read_secret(text, name="X-Anything", folder=Path())
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["Authorization", "GITHUB_TOKEN", "X-Api-Key", "DB_PASSWORD", "CLIENT_SECRET", "Cookie"]
)
def test_a_literal_under_the_name_of_a_secret_is_refused(name: str) -> None:
    """Whatever stands under such a name must be a reference."""
    with pytest.raises(ConfigInvalid, match="looks like a literal secret"):
        read_secret("abc", name=name, folder=Path())


def test_plain_settings_stay_plain() -> None:
    """An ordinary value under an ordinary name is taken as it is."""
    assert read_secret("en_US.UTF-8", name="LANG", folder=Path()).resolve() == "en_US.UTF-8"


def test_what_is_read_at_the_start_alone_is_named(tmp_path: Path) -> None:
    """Groups that were changed wait for the next start; a comment or another port from the command line does
    not.
    """
    running = config(tmp_path, UPSTREAM)
    assert config(tmp_path, UPSTREAM + "groups: {legal: [lena]}\n").waiting(running) == ("groups",)
    assert config(tmp_path, UPSTREAM + "# a word\n").waiting(running) == ()
    assert config(tmp_path, UPSTREAM + "listen: {port: 8701}\n").waiting(running) == ()


def test_of_the_upstreams_each_changed_one_is_named_but_not_for_its_mode(tmp_path: Path) -> None:
    """A mode is reloaded; a new upstream, a removed one and another command need a start."""
    one = "upstreams: {a: {command: [x]}, b: {command: [y]}}\n"
    running = config(tmp_path, one)
    other = config(tmp_path, "upstreams: {a: {command: [x], mode: observe}, b: {command: [y]}}\n")
    assert other.waiting(running) == ()
    assert other.observed == {"a"}
    changed = config(tmp_path, "upstreams: {b: {command: [z], mode: observe}, c: {command: [y]}}\n")
    assert changed.waiting(running) == ("upstreams.b", "upstreams.c", "upstreams.a")
