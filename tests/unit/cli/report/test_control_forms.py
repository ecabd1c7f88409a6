# SPDX-License-Identifier: Apache-2.0
"""The forms of a report say the same, and texts of others stay text in each."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from remit.cli.report.command import text_of
from remit.cli.report.control_files import FRAMEWORKS, framework
from tests.samples.control_reports import a_report


class Elements(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes = set[str](), set[str]()
        self.targets, self.ids = set[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets |= {value or "" for name, value in attrs if name == "href"}
        self.ids |= {value or "" for name, value in attrs if name == "id"}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_page_has_no_script_and_leads_nowhere_else(name: str) -> None:
    """It may be opened and printed anywhere."""
    found = Elements(text_of(a_report(name), "html", everything=False))
    assert not found.tags & {"script", "img", "link", "iframe", "form", "object", "base"}
    assert not any(one.startswith("on") or one in {"src", "style"} for one in found.attributes)
    assert found.targets == {f"#{one}" for one in found.ids}


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_texts_of_others_stay_text(form: str) -> None:
    """No escape sequence, reordered line, element, link or mention of theirs is left."""
    text = text_of(a_report(), form, everything=True)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if form == "html":
        assert "<script" not in text
    if form == "markdown":
        assert "](http" not in text
        assert not re.search(r"(?<!\\)[<>]", text)
        assert all(line.count("|") - line.count("\\|") == 5 for line in text.splitlines() if line[:1] == "|")


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_form_names_each_control_with_its_numbers(name: str, form: str) -> None:
    """The control, what was counted, the exception, and what to do next."""
    text = text_of(a_report(name, "desk/pay"), form, everything=True)
    for one in framework(name).controls:
        assert one.id in text
        assert not one.checks or "97.5 % of 40" in text
    assert "desk/pay" in text.replace("\\", "")


def test_json_has_the_counts_and_thresholds() -> None:
    """So that a program may judge otherwise."""
    told = json.loads(text_of(a_report(), "json", everything=False))
    (check, *_) = told["controls"][2]["checks"]
    assert (check["holding"], check["total"], check["partly_from_percent"], check["status"]) == (
        39,
        40,
        90,
        "partly",
    )
    assert check["exceptions"][0]["event"] == 7
    assert sum(told["counts"].values()) == 10
