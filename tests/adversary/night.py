# SPDX-License-Identifier: Apache-2.0
"""A night of searches, in several processes."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.adversary.search import Search, Tally
from tests.adversary.stage import Stage

CHUNK = 25_000
"""Candidates of one search: each chunk has its own seed, so that the number of workers changes nothing."""
STORIES = 200
"""Candidates for each story of several calls, which takes so much longer."""


def attack(seed: str, tries: int) -> Tally:
    """Make one search, in a process of its own."""
    with Stage() as stage:
        search = Search(stage, seed)
        search.tell(tries // STORIES)
        return search.run(tries - tries // STORIES)


def attacked(seed: str, tries: int, workers: int) -> Tally:
    """Make all searches, and put together what they found."""
    sizes = [min(CHUNK, tries - at) for at in range(0, tries, CHUNK)]
    whole = Tally()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        runs = [pool.submit(attack, f"{seed}/{at}", size) for at, size in enumerate(sizes)]
        for count, run in enumerate(runs, 1):
            whole.add(run.result())
            sys.stderr.write(f"\radversary: {count} of {len(runs)} searches")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return whole
