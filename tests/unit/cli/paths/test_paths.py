# SPDX-License-Identifier: Apache-2.0
"""`remit paths`: what it says, its exit codes, and that no name gets out of its place in the flowchart."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.cli.main import run
from remit.cli.output.mermaid import Flowchart
from remit.cli.paths.mermaid import flowchart
from remit.cli.paths.report import ReachChoice, ReachReport
from remit.core.label import Label, Trust
from remit.core.policy.reach import CredentialSource, ReachSurvey
from remit.core.tools.tool import FieldLabel
from tests.samples.reach import FILES, INBOX, MAIL, POLICIES, Lenient, acts, bundle, look, reads, task

Json = Any
TOOLS = """
upstream: mail
tools:
  inbox: {effect: none, audience: self, labels: {class: public, trust: untrusted}}
  send:
    effect: irreversible
    audience: external
    labels: {class: public, trust: trusted}
    arguments: {to: {role: destination}, body: {role: content}}
"""
FILE = """
upstream: files
tools:
  read: {effect: none, audience: self, labels: {class: internal, trust: trusted}}
"""
TASK = """
task: triage
purpose: Look through the mail
run_by: [mail-bot]
requested_by: [ana]
grants:
  - {tool: mail/inbox}
  - {tool: files/read}
  - {tool: mail/send, arguments: {to: TO, body: {anything: {}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with one task type, which has the toxic combination; a human is asked."""
    made = tmp_path / "house"
    (made / "tools").mkdir(parents=True)
    (made / "tasks").mkdir()
    shutil.copytree(POLICIES, made / "policies")
    (made / "tools/mail.yaml").write_text(TOOLS)
    (made / "tools/files.yaml").write_text(FILE)
    (made / "tasks/triage.yaml").write_text(TASK.replace("TO", "{anything: {}}"))
    config = {
        "upstreams": {name: {"url": f"https://{name}.example.com/mcp"} for name in ("mail", "files")},
        "classes": {"clearance": {"self": "restricted", "internal": "confidential", "external": "internal"}},
    }
    (made / "remit.yaml").write_text(json.dumps(config))
    return made


def paths(folder: Path, *words: str) -> int:
    """Run the command on a folder."""
    return run(["paths", "--config", str(folder), *words])


def test_it_tells_the_combination_and_what_breaks_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The task type, its three parts, the rule that asks and the smallest change stand in the answer."""
    assert paths(folder) == 0
    said = capsys.readouterr().out
    for part in (
        "triage",
        "mail-bot",
        "mail/inbox",
        "files/read",
        "mail/send → external",
        "flow/ask-destination",
    ):
        assert part in said
    assert re.search(r"broken by\s+keep `to` of `mail/send` in task type `triage`", said)


@pytest.mark.parametrize(("fail_on", "code"), [("open", 0), ("asked", 1), ("any", 1), ("never", 2)])
def test_it_fails_where_it_is_told_to(folder: Path, fail_on: str, code: int) -> None:
    """Exit 1 for what was named or worse, 2 for a word that is none."""
    assert paths(folder, "--fail-on", fail_on) == code


def test_a_failure_says_what_failed_beside_the_answer(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a log of continuous integration the reason stands last."""
    assert paths(folder, "--fail-on", "asked", "--json") == 1
    written = capsys.readouterr()
    assert json.loads(written.out)["toxic"]
    assert re.search(r"fails on `asked`: 1 toxic combination \(1 asks an approver\)", written.err)


def test_many_refused_paths_are_counted_and_told_to_whoever_asks(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is refused anyhow does not bury what is open."""
    config = json.loads((folder / "remit.yaml").read_text())
    config["classes"]["clearance"]["external"] = "public"
    (folder / "remit.yaml").write_text(json.dumps(config))
    for number in range(8):
        # Each its own address, so that no two of them stand in one row.
        address = f"{{exact: ana-{number}@example.com}}"
        written = TASK.replace("TO", address).replace("triage", f"kept-{number}")
        (folder / f"tasks/kept-{number}.yaml").write_text(written)
    assert paths(folder, "--only", "disclosure") == 0
    told = capsys.readouterr().out
    assert "no open path and none that asks an approver" in told
    assert re.search(r"^  \d+ paths refused: .*data/clearance", told, re.MULTILINE)
    assert "kept-3" not in told
    assert paths(folder, "--only", "disclosure", "--task", "kept-3") == 0
    told = capsys.readouterr().out
    assert "refused" in told
    assert "kept-3" in told


def test_what_was_not_asked_for_is_not_said_to_be_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one kind nothing is said of the others."""
    assert paths(folder, "--only", "effect") == 0
    assert "Toxic" not in (said := capsys.readouterr().out)
    assert "toxic" not in said


def test_a_refused_path_fails_on_any_alone(folder: Path) -> None:
    """With the address kept to the company nothing of the combination is left to ask about."""
    (folder / "tasks/triage.yaml").write_text(TASK.replace("TO", "{email_domain: [example.com]}"))
    assert paths(folder, "--only", "toxic", "--fail-on", "asked") == 0
    assert paths(folder, "--only", "toxic", "--fail-on", "any") == 1


def test_without_paths_nothing_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A task type that only reads has none; what was looked at is said."""
    (folder / "tasks/triage.yaml").write_text(
        TASK.replace("TO", "{anything: {}}").rpartition("  - {tool: mail/send")[0]
    )
    assert paths(folder, "--fail-on", "any") == 0
    assert "In 1 task type with 2 tools:\nno toxic combinations\nno other paths\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["--from", "untrusted"], {"toxic", "effect"}),
        (["--from", "files"], {"toxic"}),
        (["--from", "mail/inbox", "--to", "external"], {"toxic", "effect"}),
        (["--to", "mail-bot"], {"toxic", "effect"}),
        (["--to", "irreversible", "--only", "effect"], {"effect"}),
        (["--from", "restricted"], set()),
        (["--task", "triage"], {"toxic", "effect"}),
    ],
)
def test_what_is_wanted_can_be_narrowed(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], kinds: set[str]
) -> None:
    """By where a path begins, where it leads, whose it is and what it does."""
    assert paths(folder, "--json", *words) == 0
    told: Json = json.loads(capsys.readouterr().out)
    found = {"toxic"} if told["toxic"] else set()
    assert found | {one["kind"] for one in told["paths"]} == kinds


@pytest.mark.parametrize("words", [["--task", "triaje"], ["--from", "mial"], ["--to", "outside"]])
def test_an_unknown_word_is_a_usage_fault(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """A misspelt name must not look like a clean bundle."""
    assert paths(folder, *words) == 2
    assert f"`{words[1]}` is not a " in capsys.readouterr().err


def test_a_broken_bundle_is_a_configuration_fault(folder: Path) -> None:
    """What cannot be read is not surveyed."""
    (folder / "tools/mail.yaml").write_text("upstream: [")
    assert paths(folder) == 2


def test_json_has_routes_labels_and_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program gets all of it."""
    assert paths(folder, "--json") == 0
    told: Json = json.loads(capsys.readouterr().out)
    (one,) = told["toxic"]
    assert (one["task"], one["standing"]) == ("triage", "asks an approver")
    assert one["ways_out"][0]["route"] == [
        {"kind": "source", "name": "mail/inbox"},
        {"kind": "task", "name": "triage"},
    ]
    assert one["private"][0]["label"]["class"] == "internal"
    assert one["broken_by"][0]["changes"][0]["kind"] == "pin"
    assert told["counts"]["toxic"] == {"open": 0, "asks an approver": 1, "refused": 0}


def test_the_flowchart_has_the_way_from_source_to_outlet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What comes in, the task type with its agent, how open the way out is, and whom it reaches."""
    assert paths(folder, "--only", "toxic", "--mermaid") == 0
    drawn = capsys.readouterr().out.splitlines()
    assert drawn[0] == "flowchart LR"
    for line in (
        '  n0["mail/inbox"]',
        '  n1["triage<br/>mail-bot"]',
        '  n0 -->|"public, untrusted"| n1',
        '  n1 -->|"asks an approver: flow/ask-destination"| n3',
    ):
        assert line in drawn


def test_an_open_combination_is_a_warning_of_the_check(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is in force; one that asks a human, or is refused, is what `remit paths` tells."""
    assert run(["policy", "check", "--config", str(folder)]) == 0
    assert "together" not in capsys.readouterr().out
    for policy in (folder / "policies").glob("*.cedar"):
        policy.unlink()
    rule = '@id("all")\npermit (principal, action in Action::"call", resource);\n'
    (folder / "policies" / "00-all.cedar").write_text(rule)
    assert run(["policy", "check", "--config", str(folder)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "task type `triage` combines private data, untrusted content and an external effect" in said
    assert "`remit paths --task triage`" in said


def with_credentials(folder: Path) -> None:
    """Have one secret open the mail, and a token of each task the files."""
    config = json.loads((folder / "remit.yaml").read_text())
    config["upstreams"]["mail"]["headers"] = {"Authorization": "Bearer env:MAIL_KEY"}
    client = {"client_id": "remit", "client_secret": "env:CLIENT", "token_url": "https://idp.example/token"}
    urls = {name: f"https://files.example.com/{name}" for name in ("revoke_url", "probe_url")}
    config["upstreams"]["files"] |= {"headers": {"X-Key": "env:OFFERS"}, "lease": {"oauth": client | urls}}
    (folder / "remit.yaml").write_text(json.dumps(config))


def test_credentials_are_told_with_whose_calls_carry_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By reference, for how long each lives, and beside what; `headers` beside a lease are of no call."""
    with_credentials(folder)
    assert paths(folder, "--json") == 0
    told = json.loads(capsys.readouterr().out)["credentials"]
    assert [(one["name"], one["lifetime"], one["upstreams"]) for one in told] == [
        ("env:MAIL_KEY", "standing", ["mail"]),
        ("oauth: remit at https://idp.example/token", "for each task", ["files"]),
    ]
    (carrier,) = told[0]["carried_by"]
    assert (carrier["task"], carrier["agents"], carrier["beside_untrusted"]) == ("triage", ["mail-bot"], True)
    assert paths(folder) == 0
    said = capsys.readouterr().out
    assert re.search(r"env:MAIL_KEY\s+mail\s+triage\s+standing\s+yes", said)


def test_paths_to_what_a_credential_opens_can_be_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In continuous integration, too: one that stands may be kept from what others have written."""
    with_credentials(folder)
    assert paths(folder, "--from", "untrusted", "--to", "env:MAIL_KEY", "--fail-on", "asked") == 1
    assert paths(folder, "--to", "env:MAIL_KEYS") == 2
    assert "did you mean `env:MAIL_KEY`?" in capsys.readouterr().err


HOSTILE = '"><script>alert(1)</script>&\x1b[31m\u202e'


def hostile() -> ReachReport:
    """Return a report in which all freely chosen names are hostile."""
    field = FieldLabel(HOSTILE, Label("public", trust=Trust.UNTRUSTED))
    label = Label("internal", frozenset({HOSTILE}), Trust.TRUSTED, frozenset({HOSTILE}))
    inbox = reads("up/inbox", "public", fields=(field,), resource=HOSTILE)
    files = msgspec.structs.replace(FILES, label=label)
    mail = acts("up/mail", HOSTILE, resource=HOSTILE, to=HOSTILE)
    kinds = [task(name, inbox.id, files.id, mail.id, agent=HOSTILE) for name in (HOSTILE, f"{HOSTILE}2")]
    opens = {"up": (CredentialSource(HOSTILE),), "files": (CredentialSource(HOSTILE),)}
    survey = ReachSurvey(bundle((inbox, files, mail), *kinds), Lenient(), credentials=opens)
    return ReachReport(survey, ReachChoice())


def test_hostile_names_stay_names() -> None:
    """Nothing that a file or an upstream says becomes markup, and nothing hidden gets in."""
    for line in str(flowchart(hostile())).splitlines()[1:]:
        parts = line.split('"')
        assert re.fullmatch(r"  n\d+(\[\]| -->(\|\|)? n\d+)", "".join(parts[::2]))
        for label in parts[1::2]:
            assert not re.search(r"[<>&`*\\\x00-\x1f\u202e]", label.replace("<br/>", ""))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("contracts/read_all, of C-42.md", "contracts/read_all, of C-42.md"),
        ("1. a list", "1#46; a list"),
        ("- a list", "#45; a list"),
        ("__bold__", "#95;#95;bold#95;#95;"),
        ('"]; end', "#34;#93;#59; end"),
        ("#quot;", "#35;quot#59;"),
    ],
)
def test_a_label_of_a_flowchart_holds_no_markup(text: str, shown: str) -> None:
    """What Mermaid would read as its own or as Markdown stands as the code of its character."""
    chart = Flowchart("LR")
    chart.box("one", text)
    assert str(chart) == f'flowchart LR\n  n0["{shown}"]\n'


def test_handing_down_is_drawn() -> None:
    """A line leads from the task type to those that get it."""
    kinds = task("triage", "mail/send", "mail/inbox", "files/read", heirs=("helper",))
    drawn = str(flowchart(ReachReport(look(bundle((MAIL, INBOX, FILES), kinds)), ReachChoice())))
    assert "triage #40;delegated#41;" in drawn
