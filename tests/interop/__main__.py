# SPDX-License-Identifier: Apache-2.0
"""Run suites that others wrote against remit, and report.

    python -m tests.interop                         everything
    python -m tests.interop server authorization    some of it
    python -m tests.interop agentdojo --cases       AgentDojo's ground truths, case by case
    python -m tests.interop agentdojo --labels own  the same by labels of those who know the tasks
    python -m tests.interop worlds --cases          ground truths of the five worlds, but for the held out one
    python -m tests.interop worlds --bounded        the same where people approve as many calls as are offered
    python -m tests.interop airline                 one customer's records, in tau2-bench's airline domain
    python -m tests.interop policies                OPA's and Cedar's cases, by the engines in use
    python -m tests.interop privileges              catalogues of paths of escalation, as cases
    python -m tests.interop secrets                 examples of gitleaks' rules, by remit's detectors
    python -m tests.interop suggest                 rules learnt on one half of a history, tested on the other
    python -m tests.interop --publish               and keep the results for the documentation

The results go to `build/interop.json`, `build/worlds.json`, `build/airline.json`, `build/suggested.json`,
`build/policy-cases.json`, `build/privilege-cases.json`, `build/secret-cases.json` and `build/agentdojo.json`
(own labels: `build/agentdojo-own.json`). Exits 1 where a scenario fails without a reason that is written
down in `tests/interop/results.py`, or passes though one is.
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.interop import consenting, stage, suite, vectors
from tests.interop.agentdojo.measure import LABELS, measure
from tests.interop.airline.measure import measure as measure_airline
from tests.interop.policy_cases import measure as measure_policies
from tests.interop.privilege_cases import measure as measure_privileges
from tests.interop.results import LATEST, PUBLISHED, Row, rows, write
from tests.interop.secret_cases import measure as measure_secrets
from tests.interop.suggested.measure import measure as measure_suggested
from tests.interop.worlds.measure import measure as measure_worlds

REVISIONS = ("2026-07-28", "2025-11-25")
MODES = (
    "server",
    "client",
    "authorization",
    "vectors",
    "agentdojo",
    "worlds",
    "airline",
    "suggest",
    "policies",
    "privileges",
    "secrets",
)


def server(revision: str) -> list[Row]:
    """Run what a revision requires of servers, and what it runs beside, through relay and gateway."""
    with tempfile.TemporaryDirectory() as folder, stage.governed(Path(folder) / "gateway") as address:
        words = ("--url", address, "--requirements", revision)
        found = suite.run("server", *words, out=f"server-{revision}")
    return rows("server", revision, found, suite.listed(revision)["server"])


def client(revision: str) -> list[Row]:
    """Run what a revision requires of clients, and its extensions, against the SDK's client."""
    names = suite.listed(revision)
    found = suite.run_client((*names["client"], *names["other client"]), revision)
    return rows("client", revision, found, names["client"])


def authorization(revision: str) -> list[Row]:
    """Run what the suite knows of authorization servers against remit's; it is of no one revision."""
    found = consenting.run()
    return rows("authorization", revision, found, [one.scenario for one in found])


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__)
    parser.add_argument("modes", nargs="*", choices=[*MODES, []], default=[])
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--cases", action="store_true", help="print single cases, too")
    parser.add_argument("--suite", default="", help="of agentdojo, or one world")
    parser.add_argument("--labels", choices=list(LABELS), default="others", help="of agentdojo's tools")
    parser.add_argument("--bounded", action="store_true", help="approve as many calls as are offered")
    given = parser.parse_args()
    wanted = given.modes or MODES
    try:
        if "agentdojo" in wanted:
            measure(
                publish=given.publish,
                one_by_one=given.cases,
                only=given.suite,
                labels=given.labels,
                bounded=given.bounded,
            )
        if "worlds" in wanted:
            measure_worlds(
                publish=given.publish,
                one_by_one=given.cases,
                only=given.suite,
                bounded=given.bounded,
            )
        if "airline" in wanted:
            measure_airline(publish=given.publish, one_by_one=given.cases)
        if "suggest" in wanted:
            measure_suggested(publish=given.publish, only=given.suite)
        missed = measure_policies(publish=given.publish) if "policies" in wanted else 0
        if "privileges" in wanted:
            missed = max(missed, measure_privileges(publish=given.publish))
        if "secrets" in wanted:
            missed = max(missed, measure_secrets(publish=given.publish))
        if set(wanted) <= {"agentdojo", "worlds", "airline", "suggest", "policies", "privileges", "secrets"}:
            return missed
        suite.install()
    except suite.NotInstalled as fault:
        sys.stderr.write(f"{fault}\n")
        return 3
    found: list[Row] = []
    for revision in REVISIONS:
        found += server(revision) if "server" in wanted else []
        found += client(revision) if "client" in wanted else []
    found += authorization(REVISIONS[0]) if "authorization" in wanted else []
    counted = vectors.count() if "vectors" in wanted else []
    for path in (LATEST, PUBLISHED) if given.publish else (LATEST,):
        write(found, counted, path, datetime.now(UTC).date().isoformat())
    odd = [row for row in found if not row.as_expected]
    for row in odd:
        what = "passed, though it was expected to fail" if row.good else "failed"
        sys.stderr.write(f"{row.mode} {row.revision} {row.scenario}: {what}\n")
    good = sum(row.good for row in found if row.required)
    needed = sum(row.required for row in found)
    broken = sum(one.failed for one in counted)
    sys.stderr.write(f"{good} of {needed} required scenarios passed; {broken} vectors failed\n")
    return 1 if odd or broken or missed else 0


if __name__ == "__main__":
    sys.exit(main())
