# SPDX-License-Identifier: Apache-2.0
"""The simulation of replicas that share an order of commits."""

from __future__ import annotations

from bench.growth import waited


def test_a_replica_alone_waits_for_its_own_turn() -> None:
    """With calls far apart, nothing but the turn itself delays a record."""
    found = waited(1, 1, turn_ms=2.0, calls_per_s=0.1, calls=500)
    assert 1.99 < found.p50_ms < 2.01
    assert found.p99_ms < 2.01


def test_one_log_commits_no_more_than_its_turns() -> None:
    """Beyond that, batches grow and everything waits for a round of all replicas."""
    full = waited(100, 1, turn_ms=1.0, calls_per_s=100.0, calls=20_000)
    assert 950 < full.commits_per_s <= 1_001
    assert 40 < full.p50_ms <= 101


def test_a_log_for_each_replica_brings_the_waits_of_one() -> None:
    """Divided, many replicas wait as one alone does."""
    divided = waited(100, 100, turn_ms=1.0, calls_per_s=20.0, calls=20_000)
    one = waited(1, 1, turn_ms=1.0, calls_per_s=20.0, calls=20_000)
    assert abs(divided.p50_ms - one.p50_ms) < 0.1
