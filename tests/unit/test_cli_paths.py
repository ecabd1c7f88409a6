# SPDX-License-Identifier: Apache-2.0
"""`remit paths`: what it says, its exit codes, and that no name gets out of its place in picture and page."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.cli.main import run
from remit.cli.paths.graph import ACTORS, MAX_BOXES, READERS, Graph, graph_of
from remit.cli.paths.layout import lay
from remit.cli.paths.report import ReachChoice, ReachReport
from remit.cli.paths.svg import cut, page, picture
from remit.core.label import Label, Trust
from remit.core.policy.reach import CredentialSource, ReachSurvey
from remit.core.tools.tool import FieldLabel, Tool
from tests.reach_world import FILES, INBOX, MAIL, POLICIES, TOXIC, Lenient, acts, bundle, look, reads, task

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
    assert re.search(r"fails on `asked`: 1 toxic combination \(1 asks a human\)", written.err)


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
    assert "none that is open or asks a human" in told
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
    """With the address kept to the house nothing of the combination is left to ask about."""
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
    assert f"`{words[1]}` is no " in capsys.readouterr().err


def test_a_broken_bundle_is_a_configuration_fault(folder: Path) -> None:
    """What cannot be read is not surveyed."""
    (folder / "tools/mail.yaml").write_text("upstream: [")
    assert paths(folder) == 2


def test_json_has_routes_labels_and_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program gets all of it."""
    assert paths(folder, "--json") == 0
    told: Json = json.loads(capsys.readouterr().out)
    (one,) = told["toxic"]
    assert (one["task"], one["standing"]) == ("triage", "asks a human")
    assert one["ways_out"][0]["route"] == [
        {"kind": "source", "name": "mail/inbox"},
        {"kind": "task", "name": "triage"},
    ]
    assert one["private"][0]["label"]["class"] == "internal"
    assert one["broken_by"][0]["changes"][0]["kind"] == "pin"
    assert told["counts"]["toxic"] == {"open": 0, "asks a human": 1, "refused": 0}


def test_picture_and_page_are_written_and_need_nothing_else(folder: Path, tmp_path: Path) -> None:
    """Both files stand alone: no address is loaded by them, and the picture is well-formed."""
    svg, html = tmp_path / "paths.svg", tmp_path / "paths.html"
    assert paths(folder, "--svg", str(svg), "--html", str(html)) == 0
    ET.fromstring(svg.read_text())
    for text in (svg.read_text(), html.read_text()):
        assert not re.search(r"(?:src|href)\s*=|@import|url\((?!#)", text)
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "<script" not in svg.read_text()


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
    assert "task type `triage` brings private data, untrusted content and a way out together" in said
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
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In continuous integration, too: one that stands may be kept from what others have written."""
    with_credentials(folder)
    assert paths(folder, "--from", "untrusted", "--to", "env:MAIL_KEY", "--fail-on", "asked") == 1
    assert paths(folder, "--to", "env:MAIL_KEYS") == 2
    assert "did you mean `env:MAIL_KEY`?" in capsys.readouterr().err
    svg, html = tmp_path / "paths.svg", tmp_path / "paths.html"
    assert paths(folder, "--svg", str(svg), "--html", str(html)) == 0
    assert "credential that stands" in svg.read_text()
    assert "env:MAIL_KEY" in html.read_text()


HOSTILE = '"><script>alert(1)</script>&\x1b[31m\u202e'


def hostile() -> ReachReport:
    """A report in which all that anybody may name freely is hostile."""
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
    report = hostile()
    drawn, written = picture(report), page(report)
    ET.fromstring(drawn)
    for text in (drawn, written):
        assert "alert(1)</script>" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "&lt;script&gt;" in text
    assert written.count("<script>") == 1


def test_the_page_permits_its_own_script_alone() -> None:
    """Its policy names the digest of the one script that it has."""
    written = page(hostile())
    assert re.search(
        r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[A-Za-z0-9+/=]{44}'", written
    )


def wide(count: int) -> ReachReport:
    """A report of many task types, each with tools of its own."""
    tools: list[Tool] = []
    types = []
    for number in range(count):
        own = (
            reads(f"u{number}/in", "public", untrusted=True),
            reads(f"u{number}/data"),
            acts(f"u{number}/out"),
        )
        tools += own
        types.append(task(f"t{number}", *(tool.id for tool in own)))
    return ReachReport(look(bundle(tuple(tools), *types)), ReachChoice())


def test_boxes_of_a_column_never_lie_on_each_other() -> None:
    """Whatever the graph, each box has room, inside of the picture."""
    for report in (ReachReport(look(TOXIC), ReachChoice()), wide(5), wide(40)):
        graph = graph_of(report)
        width, height = lay(graph)
        columns: dict[float, list[tuple[float, float]]] = {}
        for box in graph.boxes.values():
            assert box.x >= 0
            assert box.x + box.width <= width
            assert box.y + box.height <= height
            columns.setdefault(box.x, []).append((box.y, box.y + box.height))
        for places in columns.values():
            places.sort()
            assert all(one[1] <= other[0] for one, other in pairwise(places))


def test_many_tools_are_drawn_by_upstream() -> None:
    """Two tools of an upstream that read are one box, which says so."""
    graph = graph_of(wide(40))
    readers = [box for box in graph.boxes.values() if box.column == READERS]
    assert {box.note for box in readers} == {"2 tools"}
    # An upstream of which one tool counts stands for that tool.
    assert {box.title for box in graph.boxes.values() if box.column == ACTORS} == {"out"}


def test_a_picture_has_an_end() -> None:
    """What would make it too large is counted, not drawn."""
    report = wide(MAX_BOXES)
    graph = Graph(report)
    assert len(graph.boxes) < MAX_BOXES + 10
    assert f"{graph_of(report).left_out} more task types" in picture(report)


def test_long_names_keep_both_ends() -> None:
    """What tells two names apart often stands at their end."""
    assert cut("a-rather-long-name-of-a-tool", 12) == "a-rathe…tool"
    assert cut("short", 12) == "short"


def test_handing_down_is_drawn() -> None:
    """A line leads from the task type to those that get it."""
    kinds = task("triage", "mail/send", "mail/inbox", "files/read", heirs=("helper",))
    graph = Graph(ReachReport(look(bundle((MAIL, INBOX, FILES), kinds)), ReachChoice()))
    assert graph.lines["task:triage", "task:triage (handed down)"].shared
