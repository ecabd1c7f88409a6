# SPDX-License-Identifier: Apache-2.0
"""How well poisoned descriptions of tools are told from ordinary ones, on labelled descriptions."""

from bench.figure import Figure
from remit.core.discovery.servers.instructions import is_poisoned, signs_in
from tests.samples.tool_descriptions import descriptions

PRECISION = "poisoned descriptions, precision (templates)"
RECALL = "poisoned descriptions, recall (templates)"
_PARTS = {
    "templates": "templates that were looked at while the judges were made",
    "reworded": "attacks of four rounds against earlier judges, looked at",
    "first look": "free words; 8 of 60 found and 1 of 60 accused when they were new, looked at since",
    "second look": "free words; 10 of 80 found and 4 of 82 accused when they were new, looked at since",
    "adversary": "free words of an author who knows the judge; not used to widen it",
}


def described(quick: bool) -> list[Figure]:
    """Precision and recall for each part; parts of attacks alone have no precision."""
    del quick
    found: list[Figure] = []
    for part, how in _PARTS.items():
        judged = [
            (one.poisoned, is_poisoned(signs_in(one.text, parameter=one.where == "parameter")))
            for one in descriptions(part=part)
        ]
        right = sum(true and said for true, said in judged)
        said, true = sum(one for _, one in judged), sum(one for one, _ in judged)
        what = f"{how}; {true} poisoned, {len(judged) - true} ordinary descriptions"
        if true < len(judged):
            name = f"poisoned descriptions, precision ({part})"
            found.append(Figure(name=name, value=right / said if said else 0.0, unit="", how=what))
        name = f"poisoned descriptions, recall ({part})"
        found.append(Figure(name=name, value=right / true, unit="", how=what))
    return found
