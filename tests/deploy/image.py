# SPDX-License-Identifier: Apache-2.0
"""The image of `deploy/Containerfile`, built by buildah on a Debian of this machine: nothing is pulled."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.architecture.tree import ROOT
from tests.deploy.debian_root import debian_root

Json = Any
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class Image(NamedTuple):
    """A built image: its files, and what a runtime reads of it."""

    files: Path
    config: Json


def built_image(folders: pytest.TempPathFactory) -> Image:
    """Build the image once for all processes of a run of the tests; skip without the means."""
    if shutil.which("buildah") is None:
        pytest.skip("no `buildah` here")
    base = debian_root()
    own = folders.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "image"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = shared / "image.json"
        if not told.exists():
            _build(shared, base)
            named = _buildah(shared, "from", "--pull-never", "localhost/remit")
            config = json.loads(_buildah(shared, "inspect", named))["Docker"]["config"]
            told.write_text(json.dumps({"files": _buildah(shared, "mount", named), "config": config}))
    found = json.loads(told.read_text())
    return Image(Path(found["files"]), found["config"])


def _build(shared: Path, base: Path) -> None:
    """Build on Debian's Python in place of the one that the file names."""
    begun = _buildah(shared, "from", "scratch")
    _buildah(shared, "add", "--quiet", begun, str(base), "/")
    _buildah(shared, "commit", "--quiet", begun, "localhost/python")
    certificates = ("--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro")
    passed = [f"--env={name}" for name in os.environ if name.startswith("PIP_")]
    _buildah(
        shared,
        *("build", "--format", "docker", "--isolation", "chroot", "--pull-never", *certificates, *passed),
        *("--build-arg", "PYTHON=localhost/python", "--file", str(ROOT / "deploy/Containerfile")),
        *("--tag", "localhost/remit", str(ROOT)),
    )


def _buildah(shared: Path, *words: str) -> str:
    where = ("--root", str(shared / "store"), "--runroot", str(shared / "run"), "--storage-driver", "vfs")
    done = subprocess.run(["buildah", *where, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.strip()
