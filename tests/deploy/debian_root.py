# SPDX-License-Identifier: Apache-2.0
"""A Debian in a folder: another Python than this machine's, and the base of a container image."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

PACKAGES = "python3,python3-venv,ca-certificates"
MIRROR = "http://deb.debian.org/debian"


def debian_root(suite: str = "sid") -> Path:
    """Return the folder of a small Debian with its Python, made once for this user; skip without the means.

    It needs root, `debootstrap` and Debian's packages.
    """
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can make a Debian root")
    place = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "remit" / "roots" / suite
    if not place.is_dir():
        if shutil.which("debootstrap") is None:
            pytest.skip("no Debian root here, and no `debootstrap` to make one")
        draft = place.with_name(f"{suite}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        told = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(draft), MIRROR],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            pytest.skip(f"Debian {suite} cannot be had: {told.stdout[-200:]}")
        try:
            draft.rename(place)
        except OSError:  # another worker was first
            shutil.rmtree(draft)
    return place


def inside(root: Path, shared: Sequence[Path] = ()) -> list[str]:
    """Return the words before a command that run it with another folder as its root.

    The folders `shared` lie there under the same paths. Network, processes and devices are this machine's.
    """
    authorities = "/etc/ssl/certs/ca-certificates.crt"
    steps = [f"mount --rbind {shlex.quote(str(root))} {shlex.quote(str(root))}"]
    for path in (Path("/proc"), Path("/dev"), Path(authorities), *shared):
        there = shlex.quote(str(root / path.relative_to("/")))
        if path.is_dir():
            steps.append(f"mkdir -p {there}")
        steps.append(f"mount --rbind {shlex.quote(str(path))} {there}")
    steps.append(f'exec chroot {shlex.quote(str(root))} "$@"')
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(steps), "sh"]
