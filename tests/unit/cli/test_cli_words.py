# SPDX-License-Identifier: Apache-2.0
"""The command line's own words: what is taken out of a line, how faults end, what is safe to show."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

import remit
from remit.cli import session_file as sessions
from remit.cli.command_list import COMMANDS
from remit.cli.decisions.confirmation import confirmed
from remit.cli.endings.end import scope_of
from remit.cli.evidence import known_logs as trust
from remit.cli.evidence.event_line import saying
from remit.cli.evidence.known_logs import SeenHead
from remit.cli.evidence.verification import verify_file
from remit.cli.exit_codes import UsageFault, exit_code
from remit.cli.global_options import CURRENT, Invocation
from remit.cli.main import DEFECT, run, split
from remit.cli.output.terminal import moment, span
from remit.cli.parser import pairs
from remit.cli.reference_pages import cli_page, events_page
from remit.cli.session_file import StoredSession
from remit.core import errors
from remit.core.evidence.event import EventKind, fields_of, meaning_of
from remit.core.evidence.events.kinds import BODIES
from remit.core.safe_text import plain


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    # Programs that are started elsewhere find the same sources.
    monkeypatch.setenv("PYTHONPATH", str(Path(remit.__file__).parents[1]))
    for name in ("REMIT_URL", "REMIT_SESSION", "REMIT_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


# The line.


def test_what_holds_everywhere_may_stand_anywhere_before_two_dashes() -> None:
    """`--json`, `--config` and `--as` are taken out wherever they stand, and left alone after `--`."""
    invocation, rest = split(["--as", "ana", "task", "list", "--json", "--config=x", "--", "--json", "--as"])
    assert invocation == Invocation(json=True, config="x", profile="ana")
    assert rest == ["task", "list", "--", "--json", "--as"]


def test_an_option_without_its_value_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """`--config` at the end of the line, or before another option, exits 2 and says what is missing."""
    assert run(["agent", "list", "--config"]) == 2
    assert run(["--config", "--json", "agent", "list"]) == 2
    assert "`--config` needs a value" in capsys.readouterr().err


def test_a_misspelt_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that there is not exits 2 and names the one that was probably meant."""
    assert run(["agnt"]) == 2
    assert capsys.readouterr().err == "error: command `agnt` does not exist; did you mean `remit agent`?\n"


def test_a_missing_argument_is_one_line_and_exit_two(capsys: pytest.CaptureFixture[str]) -> None:
    """The parser's complaints come in one line, with where to look."""
    assert run(["task", "open"]) == 2
    assert capsys.readouterr().err == "error: `TASK_TYPE` is missing; see `remit task open --help`\n"
    assert run(["run", "--agent"]) == 2
    assert capsys.readouterr().err == "error: `--agent` needs a value; see `remit run --help`\n"


def test_an_option_that_there_is_not_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped option names the one that was meant: of the command, or of those that hold everywhere."""
    assert run(["audit", "log", "--limt", "3"]) == 2
    assert capsys.readouterr().err == "error: option `--limt` does not exist; did you mean `--limit`?\n"
    assert run(["audit", "log", "--jsn"]) == 2
    assert capsys.readouterr().err == "error: option `--jsn` does not exist; did you mean `--json`?\n"
    assert run(["agent", "list", "extra"]) == 2
    assert capsys.readouterr().err == "error: unexpected argument `extra`; see `remit agent list --help`\n"


def test_a_verb_that_there_is_not_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped verb names the one that was meant; one that is like none names where all are listed."""
    assert run(["person", "lst"]) == 2
    told = capsys.readouterr().err
    assert told == "error: command `person lst` does not exist; did you mean `remit person list`?\n"
    assert run(["person", "nothing-like-it"]) == 2
    assert capsys.readouterr().err.endswith("see `remit person --help`\n")


def test_an_event_says_no_word_twice_and_no_digest_whole() -> None:
    """State and cause of an end are often one word, and a bundle is known by the beginning of its digest."""
    ended = {"kind": "task.ended", "facts": {"state": "completed", "cause": "completed", "reason": "done"}}
    assert saying(ended).plain == "completed  done"
    applied = {"kind": "bundle.applied", "facts": {"bundle": "sha256:" + "0123456789abcdef" * 4, "rules": 27}}
    assert saying(applied).plain == "sha256:0123456789abcdef  27 rules"
    issued = {"kind": "token.issued", "facts": {"grant": "client-credentials", "bound": "no"}}
    assert saying(issued).plain == "client-credentials  bearer"


def test_help_says_what_a_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line of help names what may stand there, and the program behind `--`."""
    for line in ("remit run [OPTIONS] -- CMD", "remit can [X] [TOOL] [OPTIONS]", "remit who [X] [OPTIONS]"):
        assert run([line.split()[1], "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: {line}\n")


def test_every_command_has_a_module_a_purpose_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands holds nothing that is not there, and each explains itself."""
    for command in COMMANDS:
        assert run([command.name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"remit {command.name}" in shown
        assert "[default: ()]" not in shown
        assert '[default: ""]' not in shown


def test_the_front_page_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`remit` alone lists all commands and the exit codes, and succeeds."""
    assert run([]) == 0
    page = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name} " in page
    assert "4 verification failed" in page


def test_the_front_page_imports_nothing_heavy() -> None:
    """Looking at the help loads neither the parser nor the server nor the store."""
    code = "import sys; from remit.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(told.stderr.split())
    assert not loaded & {"cyclopts", "rich", "uvicorn", "cedarpy", "httpx2", "msgspec", "remit.compose"}


def test_no_configuration_and_no_address_is_a_configuration_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In an empty folder a command exits 2 and says how to begin."""
    assert run(["agent", "list"]) == 2
    assert capsys.readouterr().err == (
        "error: remit.yaml: does not exist; run `remit init`, or give `--config`\n"
    )


def test_a_remit_that_is_not_running_is_exit_three(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing answers, the exit code is 3 and standard output stays empty, with `--json` too."""
    monkeypatch.setenv("REMIT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("REMIT_SESSION", "rms_x")
    assert run(["agent", "list", "--json"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "remit is not reachable at http://127.0.0.1:9" in told.err


# Faults.


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (errors.Forbidden("x"), 1),
        (errors.Unauthenticated("x"), 1),
        (errors.Fenced("x"), 1),
        (errors.ConfigInvalid("x"), 2),
        (errors.Malformed("x"), 2),
        (errors.NotFound("x"), 2),
        (errors.NotVerifiable("x"), 2),
        (errors.StoreUnavailable("x"), 3),
        (errors.Busy("x"), 3),
        (errors.VerificationFailed("x"), 4),
        (FileNotFoundError(2, "No such file or directory", "x"), 2),
        (ZeroDivisionError("x"), DEFECT),
    ],
)
def test_each_fault_has_the_exit_code_of_the_contract(fault: Exception, code: int) -> None:
    """0 done, 1 refused, 2 usage or configuration, 3 not reachable, 4 verification failed."""
    assert exit_code(fault, DEFECT) == code


def test_a_defect_shows_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error is one line and a separate exit code; REMIT_DEBUG=1 shows where it arose."""
    app = App()

    @app.default
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("remit.cli.identity.who.app", app)
    assert run(["who"]) == DEFECT
    told = capsys.readouterr().err
    assert (
        told == "error: a defect of remit: ZeroDivisionError; set REMIT_DEBUG=1 to see the stack trace, and "
        "report it\n"
    )
    monkeypatch.setenv("REMIT_DEBUG", "1")
    assert run(["who"]) == DEFECT
    assert "Traceback" in capsys.readouterr().err


# Values.


def test_pairs_are_text_unless_json_is_asked_for(tmp_path: Path) -> None:
    """`name=007` stays text, `name:=7` is a number, `name=@file` is the file's text."""
    (tmp_path / "f").write_text("hello\n")
    given = ("a=007", "b:=7", f"c=@{tmp_path / 'f'}", "d=x=y", "e=")
    assert pairs(given, "-p") == {"a": "007", "b": 7, "c": "hello\n", "d": "x=y", "e": ""}


@pytest.mark.parametrize("given", [("a",), ("=x",), ("a=1", "a=2"), ("a:={",)])
def test_pairs_that_cannot_be_read_are_usage_errors(given: tuple[str, ...]) -> None:
    """No `=`, no name, a name twice, and what is no JSON are refused."""
    with pytest.raises(UsageFault):
        pairs(given, "-p")


def test_what_would_move_the_cursor_or_reorder_the_line_is_written_out() -> None:
    """Terminal escapes, bidirectional overrides and zero-width characters of others show themselves."""
    assert plain("a\x1b[31mb\u202ec\u200bd\ne") == "a\\u{1b}[31mb\\u{202e}c\\u{200b}d\\u{a}e"
    assert plain("a\nb\tc", lines=True) == "a\nb\tc"
    assert plain("Grüße 東京 😀") == "Grüße 東京 😀"


def test_spans_are_said_as_people_say_them() -> None:
    """Times stand relative beside absolute."""
    assert [span(one) for one in (3, -59, 90, 7200, -400000)] == [
        "in 3 s",
        "59 s ago",
        "in 2 min",
        "in 2 h",
        "5 d ago",
    ]
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert moment((now + timedelta(minutes=5)).isoformat(), now).plain.endswith("in 5 min")
    assert moment("", now).plain == ""


def test_a_scope_says_its_kind_or_leaves_it_to_be_found() -> None:
    """`agent:x` names a kind, `x` does not, and a colon in a name is no kind."""
    assert scope_of("agent:note-bot") == {"kind": "agent", "name": "note-bot"}
    assert scope_of("note-bot") == {"name": "note-bot"}
    assert scope_of("everything") == {"kind": "everything", "name": ""}
    assert scope_of("notes/resources:read") == {"name": "notes/resources:read"}


# Who is signed in.


def test_several_people_are_signed_in_and_the_file_is_the_owners_alone() -> None:
    """Sessions lie in a file of mode 0600, by address and name; `--as` chooses, the last login is meant."""
    url = "http://127.0.0.1:1"
    sessions.remember(url, StoredSession("ana", "rms_a", "2030-01-01T00:00:00Z"))
    sessions.remember(url, StoredSession("omar", "rms_o", "2030-01-01T00:00:00Z"), profile="boss")
    assert stat.S_IMODE(sessions.sessions_file().stat().st_mode) == 0o600
    assert sessions.session_for(url).secret == "rms_a"
    token = CURRENT.set(Invocation(profile="boss"))
    try:
        assert sessions.session_for(url).secret == "rms_o"
        assert sessions.forget(url) == "boss"
        with pytest.raises(errors.Unauthenticated, match="act as another: `--as ana`"):
            sessions.session_for(url)
    finally:
        CURRENT.reset(token)
    with pytest.raises(errors.Unauthenticated):
        sessions.session_for("http://127.0.0.1:2")


def test_a_session_file_that_others_can_read_is_refused() -> None:
    """A session that others may have read is not used."""
    sessions.remember("http://x", StoredSession("ana", "rms_a", ""))
    sessions.sessions_file().chmod(0o644)
    with pytest.raises(errors.KeyUnavailable, match="chmod 600"):
        sessions.session_for("http://x")


# A human.


def test_without_a_terminal_only_the_digest_of_what_was_shown_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipe cannot say yes; it can name the very call, and a wrong digest is refused."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(UsageFault, match="no terminal: cannot prompt"):
        confirmed("Do it?", "sha256:a", "")
    with pytest.raises(errors.Conflict):
        confirmed("Do it?", "sha256:a", "sha256:b")
    assert confirmed("Do it?", "sha256:a", "sha256:a")


# What was seen of logs.


def _key(seed: int) -> str:
    from remit.core.evidence.checkpoint import VerifierKey

    return str(VerifierKey("remit/test", bytes([seed] * 32)))


def test_a_log_that_is_signed_by_another_key_than_before_is_noticed() -> None:
    """The key that was seen first at an address is the key; another one there is a failed verification."""
    trust.trusted_key("http://x", _key(1))
    trust.trusted_key("http://x", _key(1))
    assert trust.is_known(_key(1))
    assert not trust.is_known(_key(2))
    with pytest.raises(errors.VerificationFailed, match="another key than before"):
        trust.trusted_key("http://x", _key(2))


def test_the_largest_head_is_remembered() -> None:
    """An older head never takes the place of a newer one."""
    trust.remember_head("k", SeenHead(10, "aa", "t"))
    trust.remember_head("k", SeenHead(4, "bb", "t"))
    assert trust.last_head("k") == SeenHead(10, "aa", "t")


# The reference.


def test_every_kind_of_event_says_what_it_means() -> None:
    """The reference of events leaves out no kind, and no field of one."""
    assert set(BODIES) == set(EventKind)
    for body in BODIES.values():
        assert body.KIND in BODIES
        assert meaning_of(body)
        assert all(field.says for field in fields_of(body))
    page = events_page()
    assert all(f"## {kind.value}\n" in page for kind in EventKind)


def test_a_list_of_events_says_something_of_every_kind() -> None:
    """A new kind needs words in the list; that remit stopped says all by itself."""
    for kind in set(EventKind) - {EventKind.SYSTEM_STOPPED}:
        fields = fields_of(BODIES[kind])
        facts = {field.said_as: "word" for field in fields if not field.sealed}
        event: dict[str, Any] = {
            "kind": kind.value,
            "facts": facts | {"reasons": []},
            "values": {field.said_as: "value" for field in fields if field.sealed},
        }
        assert "word" in saying(event).plain or "value" in saying(event).plain, kind


def test_the_reference_explains_every_command_and_every_option() -> None:
    """No row of the reference of commands is empty."""
    page = cli_page()
    for command in COMMANDS:
        assert f"### remit {command.name}\n" in page
    empty = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert empty in ([], ["| `--help, --version` |  |"])


def test_the_module_is_the_command() -> None:
    """`python -m remit --version` says the version and nothing else."""
    told = subprocess.run(
        [sys.executable, "-m", "remit", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert told.stdout.startswith("remit 0.")


# Evidence.


@pytest.mark.parametrize("line", [0, 1, -1])
def test_a_byte_that_is_no_text_does_not_hold(tmp_path: Path, line: int) -> None:
    """A broken file is exit 4, wherever the byte is."""
    folder = Path(__file__).parents[3] / "docs/reference/evidence"
    key = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["key"]
    lines = (folder / "whole.jsonl").read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"', b'"\xff', 1)
    place = tmp_path / "evidence.jsonl"
    place.write_bytes(b"".join(lines))
    assert verify_file(folder / "whole.jsonl", key=key, at_least=0) == 0
    assert verify_file(place, key=key, at_least=0) == 4
