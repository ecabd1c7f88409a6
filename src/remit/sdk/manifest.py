# SPDX-License-Identifier: Apache-2.0
"""What an agent is made of, as one digest: model, prompts, tools and code.

The digest is the SHA-256 of the RFC 8785 form of `{"code": ..., "model": ..., "prompt": ..., "tools": ...}`,
where files stand by the SHA-256 of their content, folders as a map from path to that, and what is not given
is left out. It says that something changed, never what it is.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

#: Names of what a folder holds besides what somebody wrote.
SKIPPED = frozenset({".git", "__pycache__", ".venv", "node_modules"})
MAX_FILES = 100_000


def manifest_digest(
    *, model: str = "", prompt: Path | None = None, tools: Path | None = None, code: Path | None = None
) -> str:
    """Return `sha256:` and the digest; raises `OSError` for what cannot be read."""
    parts: dict[str, object] = {"model": model} if model else {}
    for name, place in (("prompt", prompt), ("tools", tools), ("code", code)):
        if place is not None:
            parts[name] = _content(place)
    # RFC 8785 for text keys within ASCII and text values: sorted, compact. Paths outside ASCII are escaped
    # by no form, so they are written as they are.
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
