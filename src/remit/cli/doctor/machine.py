# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: who else can change the files of remit, and how many descriptors it may open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from remit.cli.doctor.check import Check
from remit.cli.serve.listening_sockets import OWN_DESCRIPTORS
from remit.config import Config


def machine_looks(config: Config) -> Iterator[Check]:
    """Report what this machine permits to others, and denies to remit."""
    if os.name != "posix":
        return
    places = (
        Path(config.file),
        config.at(config.policy.path),
        config.at(config.tools),
        config.at(config.tasks),
    )
    for place in places:
        yield from _changed_by_others(place)
    yield from _few_descriptors(config.limits.max_connections_per_address)


def _changed_by_others(place: Path) -> Iterator[Check]:
    """Report a file or folder that every user can change: each of them decides what is permitted."""
    found = [place, *sorted(place.rglob("*"))] if place.is_dir() else [place]
    open_ones = [one for one in found if one.exists() and one.stat().st_mode & stat.S_IWOTH]
    if open_ones:
        more = f", and {len(open_ones) - 1} more below it" if len(open_ones) > 1 else ""
        says = f"every user of this machine can change `{open_ones[0]}`{more}"
        yield Check("files", "fail", says, f"run `chmod -R o-w {place}`, and review the files")


def _few_descriptors(connections: int) -> Iterator[Check]:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OWN_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        says = f"this user may open {soft} files at once; one busy address alone needs {wanted}"
        yield Check("descriptors", "note", says, "raise it (`ulimit -n`, or `LimitNOFILE=` of systemd)")
