# SPDX-License-Identifier: Apache-2.0
"""Questions to the evidence in SQL: those that come with remit, the reader's own, and the proof of an answer.

A question of remit is a file in `remit/questions`: comments with the question and its parameters, then one
`SELECT`. A column whose name ends in `index` holds indexes of events, and these are what a proof proves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from remit.cli.evidence.export import evidence_file
from remit.cli.evidence.time_bounds import time_of
from remit.cli.evidence.verification import checked_export, pruned_before, pruned_note, trusted_for
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.private_files import open_private
from remit.compose.store import evidence_tables
from remit.core.errors import NotFound, StoreUnavailable, VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey, open_checkpoint
from remit.core.evidence.event import EventKind, meaning_of
from remit.core.evidence.event_tables import ROW, columns_of, table_of
from remit.core.evidence.events.kinds import BODIES
from remit.core.evidence.selection import SignedLog, selection_lines
from remit.core.json_value import Json
from remit.ports.evidence.tables import AnswerColumns, EvidenceTables, Value

_VIEWS: Final = "views"
_LOG: Final = "log.json"
_TIMES: Final = ("since", "until")
_MOST_PROVEN: Final = 100_000
_LAST_LINE_BYTES: Final = 1 << 20


class EvidenceQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question: its name, what it asks, its parameters with their meanings, and its SQL."""

    name: str
    asks: str
    parameters: dict[str, str] = {}
    sql: str


def questions() -> list[EvidenceQuestion]:
    """Return the questions that come with remit, by name."""
    found = [_read(one.name.removesuffix(".sql"), one.read_text("utf-8")) for one in _folder().iterdir()]
    return sorted((one for one in found if one.name != _VIEWS), key=lambda one: one.name)


def _folder() -> Traversable:
    return files("remit").joinpath("questions")


def _read(name: str, text: str) -> EvidenceQuestion:
    comments = [line[2:].strip() for line in text.splitlines() if line.startswith("--")][1:]
    parameters = dict(line.split(": ", 1) for line in comments[1:] if ": " in line)
    return EvidenceQuestion(name=name, asks=comments[0], parameters=parameters, sql=text)


def chosen(what: str) -> EvidenceQuestion:
    """Return a question of remit by its name, or the reader's own; raise `NotFound`."""
    known = {one.name: one for one in questions()}
    if what in known:
        return known[what]
    if " " in what.strip():
        return EvidenceQuestion(name="sql", asks=what, sql=what)
    raise NotFound(
        f"there is no question `{what[:80]}`", remediation="see `remit audit questions`, or write SQL"
    )


def given_values(question: EvidenceQuestion, given: Sequence[str]) -> dict[str, Value]:
    """Return the parameters of a question, from `name=value`; raise `UsageFault`."""
    values: dict[str, Value] = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or (question.parameters and name not in question.parameters):
            known = ", ".join(f"{name}=..." for name in question.parameters) or "none"
            raise UsageFault(f"`{one[:80]}` is no parameter", remediation=f"parameters: {known}")
        at = time_of(value, name) if name in _TIMES else None
        values[name] = at.astimezone(UTC).replace(tzinfo=None).isoformat() if at is not None else value
    return values


@contextmanager
def opened(place: Path | None, key: str) -> Iterator[tuple[EvidenceTables, SignedLog]]:
    """Open the tables of a place: a folder of tables, an export, or the running remit's evidence.

    An export is verified first; `VerificationFailed` if it does not hold.
    """
    views = _folder().joinpath(f"{_VIEWS}.sql").read_text("utf-8")
    with evidence_file(place) as found, ExitStack() as stack:
        read, log = (found, _log_of(found, key)) if found.is_dir() else _verified(found, key, stack)
        tables = evidence_tables(read, views)
        try:
            yield tables, log
        finally:
            tables.close()


def _log_of(folder: Path, key: str) -> SignedLog:
    """Return the log of a folder of tables. Its note must be signed; its events are not verified again."""
    try:
        log = msgspec.json.decode((folder / _LOG).read_bytes(), type=SignedLog)
    except (OSError, ValueError):
        raise NotFound(
            f"`{folder}` holds no tables of evidence", remediation="make them with `remit audit tables`"
        ) from None
    trusted = trusted_for(None, key) if key else VerifierKey.parse(log.verifier)
    signed = open_checkpoint(log.note.encode(), trusted).checkpoint
    if (signed.origin, signed.size) != (log.origin, log.size):
        raise VerificationFailed(
            f"`{folder}` names another log than was signed", remediation="make the tables of the export again"
        )
    return msgspec.structs.replace(log, verified=False)


def _verified(export: Path, key: str, stack: ExitStack) -> tuple[Path, SignedLog]:
    """Return the log of an export, and the lines that were verified, in a folder of this user alone.

    INVARIANT: the export is read once. What is read again may be another file.
    """
    read = Path(stack.enter_context(TemporaryDirectory(prefix="remit-"))) / "evidence.jsonl"
    with open_private(read) as out:

        def keep(line: bytes) -> None:
            out.write(line)

        report, used = checked_export(export, key, keep)
    if not report.complete:
        raise VerificationFailed(
            f"`{export}` holds a part of the log, and no count says what is missing",
            code="part-of-a-log",
            remediation="take the whole log (`remit audit export`)",
        )
    with read.open("rb") as lines:
        lines.seek(max(0, read.stat().st_size - _LAST_LINE_BYTES))
        note = json.loads(lines.read().splitlines()[-1])["checkpoint"]
    return read, SignedLog(
        origin=report.origin,
        verifier=used,
        size=report.size,
        note=note,
        pruned=report.absent,
        pruned_before=pruned_before(report),
    )


def write_tables(export: Path | None, folder: Path, *, key: str) -> None:
    """Write the tables of an export into a new folder that only this user can read."""
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise StoreUnavailable(
            f"`{folder}` cannot be made: {error.strerror}", remediation="name a new folder"
        ) from None
    with opened(export, key) as (tables, log):
        names = tables.write(folder)
    (folder / _LOG).write_bytes(msgspec.json.encode(log))
    if terminal.is_json():
        terminal.answer({"folder": str(folder), "tables": names, "size": log.size, "origin": log.origin})
        return
    terminal.say(
        f"Wrote {terminal.counted(log.size, 'event')} as {len(names)} tables to ",
        terminal.text(str(folder), "bold"),
    )
    terminal.copyable(f"  remit audit query data-read --from {folder}", style="dim")


def ask(
    what: str, given: Sequence[str], *, place: Path | None, key: str, limit: int, proof: Path | None
) -> None:
    """Answer a question, and write the proof of its answer where that is wanted."""
    question = chosen(what)
    values = given_values(question, given)
    with opened(place, key) as (tables, log):
        answer = tables.ask(question.sql, values, limit=_MOST_PROVEN if proof else limit)
        proven = _prove(tables, log, question, answer, proof) if proof else 0
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows[:limit]]
    more = answer.more or len(answer.rows) > limit
    if terminal.is_json():
        answered = {"question": question.asks, "origin": log.origin, "size": log.size}
        answered |= {"pruned": log.pruned, "pruned_before": log.pruned_before} if log.pruned else {}
        proof_of = {"proof": str(proof), "proven": proven} if proof else {}
        terminal.answer({**answered, "rows": rows, "more": more, **proof_of})
        return
    shown = [name for name in answer.columns if not name.endswith("index")] or list(answer.columns)
    terminal.say(terminal.text(question.asks, "bold"))
    terminal.table(
        tuple(name.upper().replace("_", " ") for name in shown),
        (tuple(_cell(row[name]) for name in shown) for row in rows),
        empty="no rows",
    )
    if more:
        terminal.remark(f"only the first {limit} rows; `--limit` shows more")
    terminal.remark(f"from {terminal.counted(log.size, 'event')} of {log.origin}")
    if note := pruned_note(log.pruned, log.pruned_before):
        terminal.remark(f"{note}: the answer does not cover them", style="yellow")
    if proof:
        terminal.say(
            f"Wrote the proof of {terminal.counted(proven, 'event')} to ", terminal.text(str(proof), "bold")
        )
        terminal.copyable(f"  remit audit verify {proof} --key {log.verifier}", style="dim")


def _prove(
    tables: EvidenceTables, log: SignedLog, question: EvidenceQuestion, answer: AnswerColumns, proof: Path
) -> int:
    places = [at for at, name in enumerate(answer.columns) if name.endswith("index")]
    if not places:
        raise UsageFault(
            "the answer names no events", remediation="select a column whose name ends in `index`"
        )
    if answer.more:
        raise UsageFault(
            f"more than {_MOST_PROVEN} rows are too many to prove", remediation="narrow the question"
        )
    found = {row[at] for row in answer.rows for at in places}
    indexes = sorted(one for one in found if isinstance(one, int) and 0 <= one < log.size)
    write_proof(tables, log, question.asks, indexes, proof)
    return len(indexes)


def write_proof(tables: EvidenceTables, log: SignedLog, asked: str, indexes: list[int], proof: Path) -> None:
    """Write the events at these indexes, in order, each with its place in the signed log."""
    lines = selection_lines(log, asked, tables.leaves(indexes), tables.hashes)
    with open_private(proof) as out:
        out.writelines(lines)


def _cell(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else terminal.compact(value)


def show_questions(*, tables: bool) -> None:
    """Show the questions that come with remit, or the tables and views that questions read."""
    if tables:
        _show_tables()
        return
    known = questions()
    if terminal.is_json():
        terminal.answer(
            {"items": [{"name": one.name, "asks": one.asks, "parameters": one.parameters} for one in known]}
        )
        return
    rows = [(one.name, one.asks, ", ".join(one.parameters)) for one in known]
    terminal.table(("QUESTION", "ASKS", "PARAMETERS"), rows, empty="")


def _show_tables() -> None:
    shown = {
        table_of(kind): {**ROW, **{one.name: one.type for one in columns_of(kind)}} for kind in EventKind
    }
    if terminal.is_json():
        terminal.answer(shown)
        return
    rows = [
        (table_of(kind), meaning_of(BODIES[kind]), ", ".join(one.name for one in columns_of(kind)))
        for kind in EventKind
    ]
    terminal.table(("TABLE", "A ROW FOR EACH EVENT", f"COLUMNS BESIDE {', '.join(ROW)}"), rows, empty="")
