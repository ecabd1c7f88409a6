# SPDX-License-Identifier: Apache-2.0
"""A question is a text of others, and its answer is what the log holds: nothing less, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.cli.evidence import questions as evidence_questions
from remit.cli.evidence.questions import ask, given_values, opened, questions, write_tables
from remit.cli.exit_codes import UsageFault
from remit.compose.store import evidence_tables
from remit.core.errors import Malformed, NotFound, VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.event_tables import columns_of, table_of
from remit.core.evidence.verification import verify_export
from remit.ports.evidence.tables import EvidenceTables

Json = Any

FOLDER = Path(__file__).resolve().parents[3] / "docs/reference/evidence"
WHOLE = FOLDER / "whole.jsonl"
KEY: str = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["key"]


@pytest.fixture(scope="module", params=["export", "folder"])
def tables(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EvidenceTables]:
    """The tables of a small log, from its export and from the files that were made of it."""
    place = WHOLE
    if request.param == "folder":
        place = tmp_path_factory.mktemp("of it's evidence") / "tables"
        write_tables(WHOLE, place, key=KEY)
    with opened(place, KEY) as (made, _):
        yield made


def answered(tables: EvidenceTables, sql: str, **given: str) -> list[tuple[Json, ...]]:
    """Return the rows of an answer."""
    return list(tables.ask(sql, given, limit=1_000).rows)


def test_the_tables_hold_each_event_once(tables: EvidenceTables) -> None:
    """In the table of its kind, with its exact text."""
    lines = [json.loads(line) for line in WHOLE.read_text(encoding="utf-8").split("\n")[1:-2]]
    assert answered(tables, "SELECT index, leaf FROM events ORDER BY index") == [
        (one["index"], one["leaf"]) for one in lines
    ]
    for kind in EventKind:
        ((count,),) = answered(tables, f"SELECT count(*) FROM {table_of(kind)}")
        assert count == sum(json.loads(one["leaf"])["kind"] == kind for one in lines)


def test_values_are_typed_and_those_that_were_sealed_are_told_where_the_export_has_them(
    tables: EvidenceTables,
) -> None:
    """A number is a number, and nothing that was not exported is made up."""
    (first,) = answered(
        tables, "SELECT tool, number, observed, arguments->>'$.text' FROM decision_made LIMIT 1"
    )
    assert first[0] == "desk/write"
    assert (first[1], first[2]) in {(1, None), (1, False)}
    assert first[3] == "one"
    with opened(FOLDER / "without-values.jsonl", KEY) as (bare, _):
        assert {row[0] for row in answered(bare, "SELECT arguments FROM decision_made")} == {None}


@pytest.mark.parametrize("question", questions(), ids=lambda one: one.name)
def test_each_question_of_remit_has_an_answer(tables: EvidenceTables, question: Any) -> None:
    """With each of its parameters left out, and with each of them given."""
    assert question.asks.endswith("?")
    assert set(question.parameters) == set(_named(question.sql))
    answer = tables.ask(question.sql, {}, limit=10)
    assert answer.columns
    given = {name: "2026-01-01" if name == "since" else "lena" for name in question.parameters}
    assert tables.ask(question.sql, given, limit=10).columns == answer.columns


def _named(sql: str) -> list[str]:
    return [one for one in ("agent", "person", "since", "class") if f"${one}" in sql]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT getenv('HOME')",
        "ATTACH '/tmp/other.db' AS other",
        "COPY events TO '/tmp/stolen.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "DELETE FROM events",
        "SELECT 1; DROP TABLE events",
        "EXPORT DATABASE '/tmp/stolen'",
        "SELECT",
        "",
    ],
)
def test_a_question_reaches_the_tables_and_nothing_else(tables: EvidenceTables, sql: str) -> None:
    """No file, no network, no setting, and no change; the refusal is a sentence."""
    with pytest.raises(Malformed) as refused:
        tables.ask(sql, {}, limit=10)
    assert refused.value.remediation
    assert answered(tables, "SELECT count(*) > 0 FROM events") == [(True,)]


def test_an_answer_is_proven_by_the_events_that_it_rests_on(tmp_path: Path) -> None:
    """The proof verifies by itself, tells the question, and claims no completeness."""
    proof = tmp_path / "answer.jsonl"
    ask("actions", (), place=WHOLE, key=KEY, limit=10, proof=proof)
    report = verify_export(proof.read_bytes().splitlines(keepends=True), VerifierKey.parse(KEY))
    assert report.holds
    assert not report.complete
    assert report.question == "What did agents change, where, and for which person?"
    assert set(report.kinds) == {"action.executed", "decision.made", "task.opened"} - {"task.opened"}
    changed = proof.read_bytes().replace(b'outcome\\":\\"ok', b'outcome\\":\\"no')
    assert changed != proof.read_bytes()
    assert not verify_export(changed.splitlines(keepends=True), VerifierKey.parse(KEY)).holds


def test_an_answer_without_events_cannot_be_proven(tmp_path: Path) -> None:
    """A column whose name ends in `index` is what a proof proves."""
    with pytest.raises(UsageFault):
        ask("SELECT tool FROM calls", (), place=WHOLE, key=KEY, limit=10, proof=tmp_path / "a.jsonl")


def test_an_export_that_does_not_verify_is_asked_nothing(tmp_path: Path) -> None:
    """A changed log would give an answer that looks as good as any."""
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(WHOLE.read_bytes().replace(b"permit", b"forbid"))
    with pytest.raises(VerificationFailed):
        ask("actions", (), place=changed, key=KEY, limit=10, proof=None)


def test_tables_that_were_changed_on_the_disk_prove_nothing(tmp_path: Path) -> None:
    """A folder of tables answers; a proof of its answer compares it with what was signed."""
    folder = tmp_path / "it's tables"
    write_tables(WHOLE, folder, key=KEY)
    ask("actions", (), place=folder, key="", limit=10, proof=tmp_path / "good.jsonl")
    assert (folder.stat().st_mode & 0o777) == 0o700
    log = json.loads((folder / "log.json").read_text(encoding="utf-8"))
    (folder / "log.json").write_text(json.dumps(log | {"size": log["size"] - 1}), encoding="utf-8")
    with pytest.raises(VerificationFailed):
        ask("actions", (), place=folder, key="", limit=10, proof=tmp_path / "bad.jsonl")
    with pytest.raises(NotFound):
        ask("actions", (), place=tmp_path, key="", limit=10, proof=None)


def test_a_misspelt_parameter_is_refused() -> None:
    """It would otherwise ask about every agent."""
    (question,) = (one for one in questions() if one.name == "data-read")
    with pytest.raises(UsageFault):
        given_values(question, ("agnet=clerk",))
    assert given_values(question, ("agent=clerk",)) == {"agent": "clerk"}


def test_each_column_has_one_name() -> None:
    """A fact and a sealed value of one name do not hide one another."""
    for kind in EventKind:
        names = [one.name for one in columns_of(kind)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["question.jsonl", "task.jsonl"])
def test_a_part_of_a_log_is_not_counted(name: str) -> None:
    """A proof holds the events that were chosen; what is missing would improve figures."""
    with pytest.raises(VerificationFailed) as refused, opened(FOLDER / name, KEY):
        pass
    assert "audit export" in refused.value.remediation


@pytest.mark.parametrize(
    ("member", "value"), [("size", 12_000_000), ("origin", "bank.example/production"), ("note", "x")]
)
def test_a_folder_of_tables_names_the_log_that_was_signed(tmp_path: Path, member: str, value: Json) -> None:
    """Under the given key; its events count as not verified again."""
    place = tmp_path / "tables"
    write_tables(WHOLE, place, key=KEY)
    with opened(place, KEY) as (_, log):
        assert not log.verified
    said = json.loads((place / "log.json").read_text(encoding="utf-8"))
    (place / "log.json").write_text(json.dumps(said | {member: value, "verified": True}), encoding="utf-8")
    with pytest.raises((VerificationFailed, Malformed)), opened(place, KEY):
        pass


def test_a_folder_of_tables_is_not_taken_under_another_key(tmp_path: Path) -> None:
    """A key that is given is checked."""
    place, other = tmp_path / "tables", Ed25519PrivateKey.generate().public_key()
    write_tables(WHOLE, place, key=KEY)
    wrong = VerifierKey(VerifierKey.parse(KEY).name, other.public_bytes(Encoding.Raw, PublicFormat.Raw))
    with pytest.raises(VerificationFailed), opened(place, str(wrong)):
        pass


def test_an_answer_of_indexes_alone_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """They are hidden beside other columns only."""
    ask("SELECT index FROM events LIMIT 2", [], place=WHOLE, key=KEY, limit=5, proof=None)
    assert "INDEX" in capsys.readouterr().out


def test_hostile_texts_stay_text_in_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a terminal nor its links obey them; a program gets them as they are."""
    hostile = "\x1b[2J\x1b]8;;https://evil.test\x07=1+1\r\n@a\u202e"
    sql = "SELECT 0 AS index, chr(27) || '[2J' || chr(27) || ']8;;https://evil.test' || chr(7) || '=1+1' || "
    sql += "chr(13) || chr(10) || '@a' || chr(8238) AS said"
    ask(sql, (), place=WHOLE, key=KEY, limit=5, proof=None)
    shown = capsys.readouterr().out
    assert "=1+1" in shown
    for control in "\x1b\x07\r\u202e":
        assert control not in shown
    with opened(WHOLE, KEY) as (tables, _):
        assert answered(tables, sql) == [(0, hostile)]


def test_a_file_that_is_swapped_after_it_was_verified_answers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked is what was verified: the file is read once."""
    place = tmp_path / "evidence.jsonl"
    place.write_bytes(WHOLE.read_bytes())

    def swapped(read: Path, views: str) -> EvidenceTables:
        place.write_bytes(WHOLE.read_bytes().replace(b"clerk", b"thief"))
        return evidence_tables(read, views)

    with opened(place, KEY) as (tables, _):
        expected = answered(tables, "SELECT index, leaf FROM events ORDER BY index")
    monkeypatch.setattr(evidence_questions, "evidence_tables", swapped)
    with opened(place, KEY) as (tables, _):
        assert answered(tables, "SELECT index, leaf FROM events ORDER BY index") == expected
    assert b"thief" in place.read_bytes() or b"clerk" not in WHOLE.read_bytes()
