# SPDX-License-Identifier: Apache-2.0
"""OPA's own compliance cases, on the machine by which remit evaluates Rego in process.

Each case is compiled by the real `opa` and evaluated as Wasm. What Wasm does not have is counted, with its
reason: functions of a host, which remit refuses at loading; and strict errors of built-in functions, in
place of which remit refuses the functions that can fail.
"""

from __future__ import annotations

import enum
import json
import os
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from remit.adapters.policy.rego.bundle import _files
from remit.adapters.policy.rego.machine import Machine, Trapped
from remit.adapters.policy.rego.program import OpaFailed, OpaProgram
from remit.core.errors import ConfigInvalid
from tests.servers import opa_server

Json = Any
Case = dict[str, Json]

#: Where OPA's `v1/test/cases/testdata/v1` is; else Go's module cache is asked.
CASES = "REMIT_OPA_CASES"
#: Evaluate only each case with a number that this divides: a sample, for a small machine.
STEP = "REMIT_OPA_CASES_STEP"
#: Errors that Wasm reports, as a failure of the whole evaluation.
REPORTED = ("eval_conflict_error",)


class Verdict(enum.Enum):
    """What became of a case."""

    PASSED = "passed"
    HOST = "needs a function of a host, and remit refuses to load it"
    STRICT = "expects an error of a built-in function, which only a server reports"
    WHOLE = "asks for all of `data`, in which the question itself would be"
    KEYS = "finds a text key of `data` by a number, which Wasm does not; remit gives policies no data"
    LIMIT = "has numbers beyond what OPA's own Wasm runtime can hold, in functions that remit refuses"
    FAILED = "failed"


#: What becomes of all cases of this version.
FIGURES = {
    Verdict.PASSED: 1448,
    Verdict.HOST: 721,
    Verdict.STRICT: 224,
    Verdict.LIMIT: 3,
    Verdict.WHOLE: 2,
    Verdict.KEYS: 2,
}
#: Where OPA's own runtime for Wasm differs, by the beginnings of notes.
DIFFERS = {
    "strings/format_int: bignum": Verdict.LIMIT,
    "jsonbuiltins/unmarshal number": Verdict.LIMIT,
    "data/toplevel integer": Verdict.KEYS,
    "data/nested integer": Verdict.KEYS,
}


def folder() -> Path:
    """Return the folder of the cases; skips the test, with the reason, without it."""
    if named := os.environ.get(CASES):
        return Path(named)
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"OPA's cases are in its Go module and there is no Go here; {CASES} may name them")
    module = f"{opa_server.MODULE}@{opa_server.VERSION}"
    done = subprocess.run(
        [go, "mod", "download", "-json", module], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"OPA's cases cannot be had: `go mod download` said {done.stderr[-300:]}")
    return Path(json.loads(done.stdout)["Dir"]) / "v1" / "test" / "cases" / "testdata" / "v1"


class Yaml12(yaml.CSafeLoader):
    """YAML 1.2, in which `on` is a text."""


Yaml12.yaml_implicit_resolvers = {
    first: [one for one in found if one[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def known_cases(place: Path) -> list[Case]:
    """Return all cases, in the order of their files."""
    found: list[Case] = []
    for path in sorted(place.rglob("*.yaml")):
        found += yaml.load(path.read_text(), Loader=Yaml12)["cases"]
    return found


def asking(case: Case) -> str:
    """Return a module whose set `answers` holds what the case's query binds."""
    names = sorted({name for one in case.get("want_result") or () for name in one})
    bound = ", ".join(f'"{name}": {name}' for name in names)
    given = f" with input as {case['input_term']}" if "input_term" in case else ""
    return f"package remit_case\n\nanswers contains {{{bound}}} if {{ {case['query']}{given} }}\n"


def judge(program: OpaProgram, case: Case) -> tuple[Verdict, str]:
    """Compile and evaluate one case."""
    code = case.get("want_error_code")
    if case.get("strict_error"):
        return Verdict.STRICT, ""
    files = {f"m{number}.rego": text for number, text in enumerate(case.get("modules") or ())}
    files["case.rego"] = asking(case)
    try:
        with program.folder(files) as place:
            place.build("--target", "wasm", "--entrypoint", "remit_case/answers", "-o", "b.tar.gz", *files)
            wasm = _files(place.read("b.tar.gz"))["/policy.wasm"]
    except OpaFailed as fault:
        if "recursion" in str(fault) and "remit_case" in str(fault):
            return Verdict.WHOLE, str(fault)
        if "undefined function test." in str(fault):
            return Verdict.HOST, str(fault)
        return (Verdict.PASSED if code else Verdict.FAILED), f"cannot be built: {fault}"
    try:
        machine = Machine(wasm, data=json.dumps(case.get("data") or {}).encode())
    except ConfigInvalid as fault:
        return (Verdict.HOST if "not available" in fault.message else Verdict.FAILED), fault.message
    try:
        ((found,),) = [one.values() for one in msgspec.json.decode(machine.evaluate(_input(case)))]
    except Trapped as fault:
        return (Verdict.PASSED if code in REPORTED else _differs(case)), str(fault)
    if code:
        return Verdict.FAILED, f"no {code}, but {found}"
    if "want_result" not in case:
        return Verdict.PASSED, ""
    same = _in_order(found) == _in_order(case["want_result"] or [])
    return (Verdict.PASSED if same else _differs(case)), f"{found} is not {case['want_result']}"


def _differs(case: Case) -> Verdict:
    found = (verdict for note, verdict in DIFFERS.items() if case["note"].startswith(note))
    return next(found, Verdict.FAILED)


def _input(case: Case) -> bytes:
    return json.dumps(case["input"]).encode() if "input" in case else b""


def _in_order(answers: list[Json]) -> list[str]:
    """Return answers so that equal ones are equal: a set has no order, and its members no number."""
    return sorted({json.dumps(_sorted(one), sort_keys=True) for one in answers})


def _sorted(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 is 1
    if isinstance(value, dict):
        return {name: _sorted(below) for name, below in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


@pytest.mark.slow
def test_opa_s_own_cases_pass(record_property: Any) -> None:
    """All that Wasm has, and what it does not have is exactly this."""
    pytest.importorskip("wasmtime")
    program = OpaProgram(str(opa_server.installed(build=True)), waiting_s=300)
    step = int(os.environ.get(STEP, "1"))
    cases = known_cases(folder())[::step]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        verdicts = list(workers.map(lambda case: judge(program, case), cases))
    failed = [
        f"{case['note']}: {why}"
        for case, (verdict, why) in zip(cases, verdicts, strict=True)
        if verdict is Verdict.FAILED
    ]
    counted = Counter(verdict for verdict, _ in verdicts)
    for verdict, number in counted.items():
        record_property(verdict.value, number)
    assert not failed, "\n".join(failed)
    assert step > 1 or counted == FIGURES
