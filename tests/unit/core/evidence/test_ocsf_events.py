# SPDX-License-Identifier: Apache-2.0
"""Each kind of event is a valid event of OCSF 1.8, names person and agent, and stays one line."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from remit.core.canonical import encode
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import leaf_hash
from remit.core.evidence.ocsf import (
    ACTIVITIES,
    OCSF_MAPPINGS,
    WITHHELD,
    ExportedEvent,
    ExportLine,
    OcsfClass,
    checkpoint_of,
    event_of,
)
from tests.samples.evidence_log import ORIGIN, WrittenLog
from tests.worlds.values import START

Json = Any

VECTORS = Path(__file__).resolve().parents[3] / "vectors/remit_events/events.jsonl"
SCHEMAS = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
SAID = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
#: Text of others that would break a line, a terminal, a table or a page.
HOSTILE = '=HYPERLINK("x"),<script>alert(1)</script>\r\n{"index":7}\x00\x1b[2J\u2028\u202e\u200b'
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e]")


@functools.cache
def validator(of_class: OcsfClass, *profiles: str) -> Any:
    """Return what checks events of a class with profiles."""
    schema = SCHEMAS.get_class_schema(of_class.name.lower(), list(profiles))
    return jsonschema.validators.validator_for(schema)(schema)


def valid(line: ExportLine) -> Json:
    """Return a line as a program reads it, if it is one line and follows the schema of its class."""
    assert not HIDDEN.search(line.text.decode())
    event = json.loads(line.text)
    validator(OcsfClass(event["class_uid"]), *event["metadata"].get("profiles", ())).validate(event)
    return event


def leaf_of(kind: str, facts: dict[str, Json], **more: Json) -> bytes:
    """Return a leaf as the log holds it."""
    log = WrittenLog()
    log.add(EventKind(kind), facts=facts, task="tsk_1", call="cal_1", **more)
    return log.leaves[0]


def exported(leaf: bytes, **more: Json) -> ExportedEvent:
    """Return an event that goes out."""
    return ExportedEvent(index=3, leaf=leaf, origin=ORIGIN, version="0.1", **more)


def test_every_kind_has_a_class_and_an_activity_that_ocsf_knows() -> None:
    """In the words of the schema."""
    assert set(OCSF_MAPPINGS) == set(EventKind)
    raw = get_ocsf_schema(version="1.8.0")["classes"]
    for of_class, activities in ACTIVITIES.items():
        known = raw[of_class.name.lower()]
        assert known["caption"] == of_class.title
        for number, name in activities.items():
            assert known["attributes"]["activity_id"]["enum"][str(number)]["caption"] == name


@pytest.mark.parametrize("kind", list(EventKind))
def test_each_kind_follows_the_schema(kind: EventKind) -> None:
    """With the facts of its vectors, and with none; with and without a person."""
    told = [one["facts"] for one in SAID if one["kind"] == kind]
    assert told
    for facts in (*told, {}):
        for person in ("lena", "", WITHHELD):
            leaf = leaf_of(kind, facts, agent="clerk")
            event = valid(event_of(exported(leaf, person=person)))
            assert event["unmapped"]["facts"] == facts
            assert event["metadata"]["event_code"] == kind
            assert event["actor"]["app_name"] == "clerk"
            assert event["actor"]["user"]["name"] == (person or "none")


def test_a_line_holds_what_its_proof_needs() -> None:
    """The index, the hash of the exact leaf, the leaf where configured; the agent by its draft's name."""
    leaf = leaf_of("tool.called", {"tool": "desk/read", "outcome": "ok"}, agent="clerk")
    unmapped = valid(event_of(exported(leaf)))["unmapped"]
    assert (unmapped["index"], unmapped["leaf_hash"]) == (3, leaf_hash(leaf).hex())
    assert unmapped["leaf"].encode() == leaf
    assert unmapped["ai_agent"] == {"name": "clerk", "uid": "clerk"}
    assert "leaf" not in valid(event_of(exported(leaf, leaf_text=False)))["unmapped"]


def test_text_of_others_stays_in_its_line() -> None:
    """And reads the same as before."""
    facts = {"tool": HOSTILE, "outcome": "ok", "reason": HOSTILE}
    leaf = leaf_of("tool.called", facts, agent=HOSTILE)
    event = valid(event_of(exported(leaf, person=HOSTILE, openings={"by": ["c2FsdA", HOSTILE]})))
    assert event["unmapped"]["leaf"].encode() == leaf
    assert event["unmapped"]["facts"] == facts
    assert event["unmapped"]["openings"]["by"][1] == HOSTILE
    assert not HIDDEN.search(event["actor"]["user"]["name"] + event["api"]["operation"])


@pytest.mark.parametrize("leaf", [b"\xff{", b"[]", b'{"kind":"no.such"}', encode({"kind": "data.read"})])
def test_a_changed_leaf_goes_out_as_it_is(leaf: bytes) -> None:
    """Its hash is the leaf's own, so no checkpoint covers it."""
    event = valid(event_of(exported(leaf)))
    assert event["metadata"]["event_code"] == "altered"
    assert event["unmapped"]["leaf_hash"] == leaf_hash(leaf).hex()


def test_a_checkpoint_is_an_event_too() -> None:
    """With the note as it was signed."""
    note = "o\n4\nAA==\n\n\u2014 o AAAA\n"
    line = checkpoint_of(note, 4, b"\1" * 32, [b"\2" * 32], origin=ORIGIN, version="0.1", at=START)
    unmapped = valid(line)["unmapped"]
    assert (unmapped["checkpoint"], unmapped["index"]) == (note, 3)
    assert msgspec.json.decode(line.text)["time"] == int(START.timestamp() * 1000)
