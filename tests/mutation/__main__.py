# SPDX-License-Identifier: Apache-2.0
"""Change the code that decides, fences, proves, verifies and revokes; see whether the tests notice.

    python -m tests.mutation                        every mutant
    python -m tests.mutation --sample 40 --seed 7   so many of each module, the same each time
    python -m tests.mutation --module core.flow.facts     those of one module
    python -m tests.mutation --publish              keep the figures of this run for the documentation, too

Figures and what survived go to `build/mutants.json`. Exits 1 where fewer than 95 in 100 were noticed.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutation.figures import LATEST, PUBLISHED, Row, facts, table, write
from tests.mutation.known import Known
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.run import survivors
from tests.mutation.table import NEAREST

ENOUGH = 0.95


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--module", action="append", choices=tuple(NEAREST))
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--at-once", type=int, default=1, help="so many modules beside each other")
    parser.add_argument("--json", type=Path, default=LATEST)
    parser.add_argument("--publish", action="store_true")
    given = parser.parse_args()
    known = Known()

    def row(module: str) -> Row:
        every = mutants_of(module)
        left = [one for one in every if not known.holds(one.key)]
        some = sample(left, given.sample, given.seed)
        found = Row(len(some), len(every) - len(left), survivors(module, NEAREST[module], some))
        told = [*map(str, found.survived), f"{module}: {found.caught} of {found.tried}"]
        sys.stdout.write("".join(f"{line}\n" for line in told))
        sys.stdout.flush()
        return found

    modules = given.module or tuple(NEAREST)
    with ThreadPoolExecutor(given.at_once) as pool:
        rows = dict(zip(modules, pool.map(row, modules), strict=True))
    found = facts(rows, sample=given.sample, seed=given.seed)
    write(given.json, found)
    if given.publish:
        # Lines of code stay true only until the next edit: the documentation has the figures alone.
        write(PUBLISHED, {name: value for name, value in found.items() if name != "survived"})
    sys.stdout.write(table(found))
    stale = known.stale(rows)
    sys.stdout.writelines(f"listed as equivalent, and no mutant any more: {one}\n" for one in stale)
    return 1 if stale or found["caught"] < ENOUGH * found["tried"] else 0


def sample(mutants: list[Mutant], size: int | None, seed: str) -> list[Mutant]:
    """Return as many of a module's mutants as asked, the same for each seed."""
    return mutants if size is None else sorted(mutants, key=lambda one: one.rank(seed))[:size]


if __name__ == "__main__":
    sys.exit(main())
