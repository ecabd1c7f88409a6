# SPDX-License-Identifier: Apache-2.0
"""The table of classes of texts: what clients do with a few texts of each, and whether they agree on many.

`differ`: a text of the class leads two clients to two places. `ask`: it leads to one place, or makes a client
ask for a name that cannot be one. `target`: it leads to one place, where clients ask for different things.
`alike`: each text leads to one place, unless a client refuses. `refused`: to none.
"""

import enum
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients.contact import Client, Contact, Outcome, Refused
from tests.clients.strings import ADDRESSES, URLS, Grammar

FILE = Path(__file__).with_name("differences.json")
GRAMMARS: Mapping[str, Grammar] = {"urls": URLS, "addresses": ADDRESSES}
#: Texts of each class: how many are shown at most, of how many, and on how many a verdict stands.
SHOWN, LOOKED_AT, TRIED = 3, 8, 24
Outcomes = dict[str, Outcome]


class Verdict(enum.StrEnum):
    """What clients make of a class of texts."""

    DIFFER = "differ"
    ASK = "ask"
    TARGET = "target"
    ALIKE = "alike"
    REFUSED = "refused"


def verdict(outcomes: Iterable[Sequence[Outcome]]) -> Verdict:
    """Say what clients make of some texts, from what each of them does with each text: the worst of it."""
    return min((_of_one(one) for one in outcomes), key=list(Verdict).index)


def _of_one(outcomes: Sequence[Outcome]) -> Verdict:
    reached = [one for one in outcomes if not isinstance(one, Refused)]
    if len({one.place for one in reached if not isinstance(one, Contact) or one.named}) > 1:
        return Verdict.DIFFER
    if len({one.place for one in reached}) > 1:
        return Verdict.ASK
    if len({one.resource for one in reached if isinstance(one, Contact)}) > 1:
        return Verdict.TARGET
    return Verdict.ALIKE if reached else Verdict.REFUSED


def verdicts(kind: str, clients: Sequence[Client]) -> dict[str, str]:
    """Return the verdict on each class of a kind of texts."""
    grammar = GRAMMARS[kind]
    texts = {one: [made.text for made in grammar.of_class(one, 1, TRIED)] for one in grammar.classes}
    every = [text for some in texts.values() for text in some]
    done = zip(*(client.ask(every) for client in clients), strict=True)
    return {one: verdict([next(done) for _ in some]) for one, some in texts.items()}


def asked(clients: Sequence[Client], texts: Sequence[str]) -> list[Outcomes]:
    """Return what clients do with each text, by their names."""
    done = zip(*(client.ask(texts) for client in clients), strict=True)
    return [{client.name: one for client, one in zip(clients, some, strict=True)} for some in done]


def _shown(grammar: Grammar, wanted: str, clients: Sequence[Client]) -> dict[str, dict[str, str]]:
    """Return a few texts of a class on which clients part in different ways, and what they do with each."""
    texts = grammar.examples(wanted, LOOKED_AT)
    shapes: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    for text, done in zip(texts, asked(clients, texts), strict=True):
        grouped = _grouped(done)
        shapes.setdefault((verdict([list(done.values())]), *sorted(grouped.values())), (text, grouped))
    worst = sorted(shapes.items(), key=lambda shape: list(Verdict).index(Verdict(shape[0][0])))
    return dict(one for _, one in worst[:SHOWN])


def written() -> Any:
    """Read the table: the verdict on each class, and what each client does with each example."""
    table = json.loads(FILE.read_text("utf-8"))
    for kind in GRAMMARS:
        for row in table[kind].values():
            row["examples"] = {
                text: {client: outcome for outcome, clients in found.items() for client in clients.split()}
                for text, found in row["examples"].items()
            }
    return table


def write(
    clients: Mapping[str, Sequence[Client]], shown_only: Sequence[Client], versions: dict[str, str]
) -> None:
    """Write the table. Verdicts stand on clients that are on every machine; the others are shown."""
    lines = ["{", f'"versions": {json.dumps(versions)}']
    for kind, some in clients.items():
        lines[-1] += ","
        lines.append(f'"{kind}": {{')
        for name, found in verdicts(kind, some).items():
            rows = _shown(GRAMMARS[kind], name, [*some, *(shown_only if kind == "urls" else ())]).items()
            shown = ",\n".join(f"  {json.dumps(text)}: {json.dumps(grouped)}" for text, grouped in rows)
            lines.append(f'{json.dumps(name)}: {{"verdict": "{found}", "examples": {{\n{shown}}}}},')
        lines[-1] = lines[-1].removesuffix(",")
        lines.append("}")
    FILE.write_text("\n".join([*lines, "}"]) + "\n", "utf-8")


def _grouped(by_client: Outcomes) -> dict[str, str]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for client, outcome in by_client.items():
        grouped[str(outcome)].append(client)
    return {outcome: " ".join(some) for outcome, some in grouped.items()}
