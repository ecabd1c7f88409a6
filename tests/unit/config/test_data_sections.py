# SPDX-License-Identifier: Apache-2.0
"""The words of files about data at rest: sanitizers, resources that upstreams choose, bounds of zones."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.config import load_bundle, load_config
from remit.core.errors import ConfigInvalid
from remit.core.flow.stored_labels import missing, resources
from remit.core.label import MAX_CROSSINGS, Label, Trust
from tests.samples.tool_files import CONFIG, folder, tools_of

TOOLS = """\
upstream: mail
tools:
  create:
    effect: reversible
    audience: internal
    arguments: {text: {role: content}}
    resource: ticket/{ticket}
  extract:
    effect: none
    audience: self
    labels: {class: confidential}
    sanitizes: {to: {class: internal, trust: trusted}}
"""


def test_a_sanitizer_gives_what_its_own_words_say(tmp_path: Path) -> None:
    """In place of `labels`, which say nothing any more."""
    extract = tools_of(tmp_path, TOOLS)["mail/extract"]
    assert extract.sanitizes
    assert extract.label == Label("internal", trust=Trust.TRUSTED)


def test_a_write_may_name_what_the_upstream_chooses(tmp_path: Path) -> None:
    """Its result says what it is; until then nothing is named."""
    create = tools_of(tmp_path, TOOLS)["mail/create"]
    assert missing(create, {"text": "hello"}) == ("ticket",)
    assert resources(create.resource, {"text": "hello"}) == ()
    assert resources(create.resource, {"text": "hello", "ticket": "8"}) == ("ticket/8",)


def test_a_read_names_its_arguments_alone(tmp_path: Path) -> None:
    """No result says which record it was that was read."""
    read = TOOLS.replace("effect: reversible", "effect: none")
    with pytest.raises(ConfigInvalid, match="is not one of its arguments"):
        tools_of(tmp_path, read)


def test_a_zone_bounds_how_far_its_data_goes(tmp_path: Path) -> None:
    """The least bound of the zones that data leaves; the usual one where none is given."""
    classes = load_bundle(load_config(folder(tmp_path, config=CONFIG))).classes
    assert classes.max_crossings(frozenset({"partner", "office"})) == 1
    assert classes.max_crossings(frozenset({"office"})) == MAX_CROSSINGS
    assert classes.max_crossings(frozenset()) == MAX_CROSSINGS
