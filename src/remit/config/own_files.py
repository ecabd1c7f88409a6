# SPDX-License-Identifier: Apache-2.0
"""The files and folders of this machine that are remit's own, and where servers look for files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from remit.config.folders import state_of
from remit.config.sections.secret_sources import references
from remit.config.settings import Config
from remit.core.user_folders import config_folder, state_folder


class _Wrapping(msgspec.Struct):
    """The member of a manifest (`cli.wrap.backup`) that is needed here."""

    file: str


def own_places(config: Config) -> list[Path]:
    """Return remit's own files and folders on this machine: configuration, rules, state, keys, secrets.

    The settings of wrapped clients are among them: a change there would take its servers out of remit.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    paths = [config.policy.path, config.tools, config.tasks, config.keys.path, config.log_head.path]
    if config.store.kind == "sqlite":
        paths.append(config.store.path)
    if config.listen.tls is not None:
        paths.append(config.listen.tls.key)
    home = os.path.expanduser("~")
    return [
        Path(config.file),
        state_of(config.folder),
        Path(config_folder(os.environ, home)),
        Path(state_folder(os.environ, home)),
        *([Path(runtime) / "remit"] if os.path.isabs(runtime) else []),
        *_settings_of_clients(Path(state_folder(os.environ, home))),
        *(config.at(path) for path in paths),
        *(Path(ref.name) for _, ref in references(config) if ref.scheme == "file"),
    ]


def _settings_of_clients(state: Path) -> Iterator[Path]:
    """Yield the files that `remit wrap` has changed, from its manifests."""
    for manifest in sorted((state / "wrapped").glob("*.manifest.json")):
        try:
            yield Path(msgspec.json.decode(manifest.read_bytes(), type=_Wrapping).file)
        except (OSError, msgspec.DecodeError):
            continue  # undoing reports it


def bases_of(config: Config) -> dict[str, Iterable[Path]]:
    """Return, by upstream, the folders below which its server may look for a relative path."""
    found: dict[str, Iterable[Path]] = {}
    for name, section in config.upstreams.items():
        cwd = config.at(section.cwd)
        given = (cwd / word.rpartition("=")[2] for word in section.command[1:])
        found[name] = (cwd, *(path for path in given if path.is_dir()), Path.home())
    return found
