# SPDX-License-Identifier: Apache-2.0
"""An agent's manifest as one digest: model, prompts, tools and code.

The digest is the SHA-256 of the RFC 8785 form of `{"code": ..., "model": ..., "prompt": ..., "tools": ...}`.
A file is represented by the SHA-256 of its content, a folder by a map from paths to such digests; missing
parts are left out. The digest shows that a part changed, not which one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

#: Names in a folder that are not part of an agent's source.
SKIPPED = frozenset({".git", "__pycache__", ".venv", "node_modules"})
MAX_FILES = 100_000


def manifest_digest(
    *, model: str = "", prompt: Path | None = None, tools: Path | None = None, code: Path | None = None
) -> str:
    """Return `sha256:` and the digest; raise `OSError` for an unreadable file."""
    parts: dict[str, object] = {"model": model} if model else {}
    for name, place in (("prompt", prompt), ("tools", tools), ("code", code)):
        if place is not None:
            parts[name] = _content(place)
    # RFC 8785 for ASCII keys and text values: sorted, compact. RFC 8785 does not escape paths outside of
    # ASCII, so they are written unchanged.
    written = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(written.encode("utf-8", "surrogateescape")).hexdigest()


def _content(place: Path) -> object:
    if not place.is_dir():
        return _digest(place)
    files = sorted(_files(place))
    if len(files) > MAX_FILES:
        raise OSError(f"`{place}` contains more than {MAX_FILES} files")
    return {path.relative_to(place).as_posix(): _digest(path) for path in files}


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.name in SKIPPED or entry.is_symlink():
            continue
        found += _files(entry) if entry.is_dir() else [entry]
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
