# SPDX-License-Identifier: Apache-2.0
"""What fetches from addresses that the configuration names, made only where it names any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from remit.adapters.attestor.bundles import Context
from remit.ports.fetch import Fetch


def guarded_fetch(
    *,
    private: bool = False,
    plain_loopback: bool = False,
    ca_file: Path | None = None,
    headers: Callable[[], Mapping[str, str]] = dict,
    context: Context | None = None,
) -> Fetch:
    """Give a `GuardedFetch`; the words are its own."""
    from remit.adapters.fetch.guarded import GuardedFetch

    return GuardedFetch(
        private=private, plain_loopback=plain_loopback, ca_file=ca_file, headers=headers, context=context
    )
