# SPDX-License-Identifier: Apache-2.0
"""What scans use on this machine: its files, processes that read them, and a memory of the user."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import remit
from remit.adapters.discovery.examiner import ProcessExaminer
from remit.adapters.discovery.file_owners import CodeOwners
from remit.adapters.discovery.file_tree import OsFileTree, working_trees
from remit.adapters.discovery.git_history import GitHistory, repositories
from remit.adapters.discovery.reading_process import Examination
from remit.adapters.discovery.scan_memory import SqliteScanMemory
from remit.adapters.discovery.staged_files import StagedFiles
from remit.adapters.keys.secret_files import check_folder, create_secret, read_secret
from remit.adapters.runtime.system import SystemClock
from remit.core.discovery.baseline import KEY_BYTES
from remit.core.discovery.secrets.detectors import SecretDetectors
from remit.core.discovery.sources.readers import read
from remit.core.errors import KeyUnavailable
from remit.core.user_folders import state_folder
from remit.ports.discovery.scans import ChunkSource
from remit.services.discovery.scans import DiscoveryScans

_EXAMINATION: Final = Examination(read=read, detectors=SecretDetectors)


def discovery_folder() -> Path:
    """Return the folder of the user's key and memory of scans; make it if it is missing."""
    folder = Path(state_folder(os.environ, os.path.expanduser("~"))) / "discovery"
    check_folder(folder)
    return folder


def fingerprint_key(folder: Path) -> bytes:
    """Return this user's key of fingerprints; make it at the first scan. Raises `KeyUnavailable`."""
    place = folder / "fingerprint.key"
    if not place.exists():
        create_secret(place, secrets.token_bytes(KEY_BYTES))
    key = read_secret(place)
    if len(key) != KEY_BYTES:
        raise KeyUnavailable(f"`{place}` is damaged", remediation="delete it: findings then get other ids")
    return key


def discovery_scans(
    *, key: bytes, folder: Path | None, all_files: bool = False, processes: int = 0
) -> DiscoveryScans:
    """Return the service of scans; without `folder` it remembers nothing. Raises `StoreUnavailable`."""
    memory = None
    if folder is not None:
        # Fingerprints under another key are other fingerprints: each key has its own memory.
        name = hashlib.blake2b(b"memory of scans", key=key, digest_size=6).hexdigest()
        memory = SqliteScanMemory(folder / f"scans-{name}.db", _edition())
    return DiscoveryScans(
        tree=OsFileTree(all_files=all_files),
        examiner=ProcessExaminer(key, _EXAMINATION, processes=processes),
        memory=memory,
        owners=CodeOwners(),
        clock=SystemClock(),
    )


def staged_files(folder: Path) -> StagedFiles:
    """Return what the next commit of the repository around a folder would hold."""
    return StagedFiles(folder)


def histories(roots: Sequence[str], base: str) -> tuple[ChunkSource, ...]:
    """Return the histories of the repositories at and below these paths; their places are told from the base."""
    found: list[ChunkSource] = []
    for root in roots:
        for tree in working_trees(root):
            place = os.path.relpath(tree, base)
            prefix = "" if place == "." else f"{place}/"
            folders = (Path(tree), *repositories(Path(tree)))
            found += (GitHistory(one, Path(tree), prefix=prefix) for one in folders)
    return tuple(found)


def _edition() -> str:
    """Return a name for the readers and detectors as they are: another version may find more."""
    stamps = hashlib.blake2b(remit.__version__.encode(), digest_size=12)
    for file in sorted(_modules(Path(str(files("remit") / "core" / "discovery")))):
        status = file.stat()
        stamps.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return stamps.hexdigest()


def _modules(folder: Path) -> Iterable[Path]:
    return folder.rglob("*.py")
