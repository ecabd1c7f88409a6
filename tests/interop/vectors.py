# SPDX-License-Identifier: Apache-2.0
"""How many cases of others' vectors and attacks the tests hold remit against."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from typing import NamedTuple

from tests.interop.policy_cases import PLACES as POLICY_CASES
from tests.interop.suite import HOME, ROOT

#: Where the vectors stand, and the attacks that are made after others' collections.
PLACES = ("tests/vectors", "tests/properties/test_jose_attacks.py", "tests/properties/test_jwk_negatives.py")
NAMES = {
    "test_jose_attacks": "signed tokens under attack, after Wycheproof and RFC 8725",
    "test_jwk_negatives": "keys that are none, after Wycheproof",
    "test_workload_api_messages": "messages of the SPIFFE Workload API",
    "oauth_mission": "OAuth mission draft",
    "authzen": "AuthZEN interop",
    "c2sp_checkpoint": "C2SP tlog-checkpoint",
    "c2sp_proof": "C2SP tlog-proof",
}


class Counted(NamedTuple):
    """The cases of one standard or collection."""

    name: str
    passed: int
    failed: int


def count() -> list[Counted]:
    """Run the tests, and count them by standard."""
    report = HOME / "vectors.xml"
    HOME.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        *(f"--ignore={place}" for place in POLICY_CASES),
        *PLACES,
    ]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=600, check=False)
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):
        if case.find("skipped") is not None:
            continue
        parts = case.get("classname", "").split(".")
        name = parts[2] if parts[1:2] == ["vectors"] else parts[-1]
        name = NAMES.get(name, name.replace("rfc", "RFC "))
        bad = any(case.find(kind) is not None for kind in ("failure", "error"))
        (failed if bad else passed)[name] += 1
    return [Counted(name, passed[name], failed[name]) for name in sorted({*passed, *failed})]
