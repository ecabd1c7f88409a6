# SPDX-License-Identifier: Apache-2.0
"""How well and how fast secrets are found, by source kind, and how well scanners of others find them.

The texts are those of `tests.secrets_corpus`. A label counts as found when a finding covers half of it, and a
finding as right when it touches a label; so a scanner is not judged by where it cuts. Scanners of others run
in the interpreter that `REMIT_BENCH_SCANNERS` names; one that is not installed there is left out.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.figure import Figure
from bench.secret_engines import ENGINES
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.secrets.detectors import SecretDetectors
from tests.secrets_corpus.corpus import PARTS, Labelled, corpus

F1 = "secrets: F1, {part} {kind}"
PRECISION = "secrets: precision, {part} {kind}"
SPEED = "secrets: {what}"
_DETECTORS = SecretDetectors(b"bench" * 8)
_ENDINGS = {"prose": ".md", "transcript": ".jsonl", "log": ".log", "export": ".sql"}
_LANGUAGES = {"js": ".js", "ts": ".ts", "go": ".go", "java": ".java", "ruby": ".rb", "tf": ".tf"}
_PIECE = 200_000
Spans = Sequence[tuple[int, int]]


def secrets(quick: bool) -> list[Figure]:
    """Measure remit's detectors on all parts, installed scanners beside them, and the speed on plain text."""
    seeds = 3 if quick else 25
    texts = {part: list(corpus(part, seeds)) for part in PARTS}
    figures = []
    for part, cases in texts.items():
        found = [_ours(case.text, SourceKind(case.kind)) for case in cases]
        figures += list(_scored("remit", part, cases, found, f"{len(cases)} texts from {seeds} seeds"))
    for engine in ENGINES:
        figures += list(_theirs(engine, texts))
    return [*figures, *_speed()]


def _ours(text: str, kind: SourceKind) -> Spans:
    piece = Piece(text=text, place=FilePlace(file="text"), kind=kind)
    return [(one.start, one.end) for one in _DETECTORS.find(piece)]


def _scored(who: str, part: str, cases: list[Labelled], found: Sequence[Spans], how: str) -> Iterator[Figure]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for case, spans in zip(cases, found, strict=True):
        hits = sum(_covered(spans, start, end) for start, end in case.secrets)
        wrong = sum(not any(s < end and start < e for start, end in case.secrets) for s, e in spans)
        for kind in (case.kind, "all"):
            for at, number in enumerate((hits, len(case.secrets) - hits, wrong)):
                counts[kind][at] += number
    for kind, (hits, missed, wrong) in counts.items():
        precision, recall = hits / max(1, hits + wrong), hits / max(1, hits + missed)
        value = 2 * precision * recall / max(1e-9, precision + recall)
        of = "" if who == "remit" else f", {who}"
        says = f"{how}; precision {precision:.3f}, recall {recall:.3f}, {hits + missed} secrets"
        yield Figure(name=F1.format(part=part, kind=kind) + of, value=value, unit="", how=says)
        if not of and kind in ("prose", "transcript"):
            name = PRECISION.format(part=part, kind=kind)
            yield Figure(name=name, value=precision, unit="", how=says)


def _covered(spans: Spans, start: int, end: int) -> bool:
    """Return whether one of the spans covers half of a label."""
    return any((min(e, end) - max(s, start)) * 2 >= end - start for s, e in spans)


def _theirs(engine: str, texts: dict[str, list[Labelled]]) -> Iterator[Figure]:
    python = os.environ.get("REMIT_BENCH_SCANNERS", sys.executable)
    program = Path(__file__).parent / "secret_engines.py"
    for part, cases in texts.items():
        with tempfile.TemporaryDirectory(prefix="remit-bench-") as folder:
            size = 0
            for number, case in enumerate(cases):
                ending = _ENDINGS.get(case.kind) or _ending(case)
                (Path(folder) / f"{number}{ending}").write_text(case.text, encoding="utf-8")
                size += len(case.text)
            done = subprocess.run([python, str(program), engine, folder], capture_output=True, check=False)
        lines = done.stdout.splitlines()
        failed = {"missing": done.stderr[-200:].decode(errors="replace")}
        answer: Any = json.loads(lines[-1]) if done.returncode == 0 and lines else failed
        if "missing" in answer:
            print(f"{engine} is left out: {answer['missing']}", file=sys.stderr)
            return
        by_number = {int(name.partition(".")[0]): values for name, values in answer["found"].items()}
        spans = [list(_positions(case.text, by_number.get(n, []))) for n, case in enumerate(cases)]
        speed = size / 1e6 / answer["seconds"]
        how = f"{len(cases)} texts, {speed:.2f} MB/s with start, peak {answer['peak_mb']:.0f} MB"
        yield from _scored(engine, part, cases, spans, how)


def _ending(case: Labelled) -> str:
    if case.kind == "code":
        return _LANGUAGES.get(re.split(r"[-_]", case.template.removeprefix("clean-"))[0], ".py")
    return ".json" if case.text.startswith("{") else ".env" if "=" in case.text.split("\n")[0] else ".yaml"


def _positions(text: str, values: list[str]) -> Iterator[tuple[int, int]]:
    """Yield where reported secrets stand, as they are or in base64."""
    for value in filter(None, values):
        encoded = base64.b64encode(value.encode()).decode()
        for found in re.finditer(f"{re.escape(value)}|{re.escape(encoded)}", text):
            yield found.span()


def _speed() -> Iterator[Figure]:
    """Yield the speed on Python's standard library and on the project's documents, in processor time."""
    root = Path(__file__).parents[1]
    sources = sorted(Path(os.__file__).parent.glob("*.py"))
    for what, files, kind in (
        ("code", sources, SourceKind.CODE),
        ("documents", sorted((root / "docs").rglob("*.md")), SourceKind.PROSE),
        ("configuration", sorted((root / "requirements").iterdir()), SourceKind.CONFIG),
    ):
        text = "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)[:8_000_000]
        began = time.process_time()
        wrong = sum(len(_ours(text[at : at + _PIECE], kind)) for at in range(0, len(text), _PIECE))
        speed = len(text) / 1e6 / (time.process_time() - began)
        how = f"{len(text) / 1e6:.1f} MB in pieces of {_PIECE // 1000} kB, one core; {wrong} found in it"
        yield Figure(name=SPEED.format(what=what), value=speed, unit="MB/s", how=how)
