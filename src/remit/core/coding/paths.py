# SPDX-License-Identifier: Apache-2.0
"""Paths that a coding assistant names, seen from its workspace. Links are not followed: no file is read."""

from __future__ import annotations

import enum
import posixpath
import re
from typing import Final

MAX_PATH: Final = 4096

#: Names of files that hold secrets by their nature, in any folder.
_SECRET_NAMES: Final = frozenset(
    {
        ".env", ".envrc", ".git-credentials", ".htpasswd", ".netrc", ".npmrc", ".pgpass", ".pypirc",
        "auth.json", "credentials", "credentials.json", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa",
        "secrets.json", "secrets.yaml", "secrets.yml", "service-account.json", "terraform.tfstate",
    }
)  # fmt: skip
_SECRET_ENDS: Final = (".key", ".pem", ".p12", ".pfx", ".keystore", ".jks", ".kdbx", ".ppk")
_SECRET_FOLDERS: Final = frozenset({".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".gcloud"})
_HARMLESS_ENDS: Final = (".example", ".sample", ".template", ".pub", ".dist")
#: Folders of a workspace that hold what others wrote.
_FOREIGN: Final = frozenset(
    {"node_modules", "site-packages", "vendor", "third_party", ".venv", "venv", "bower_components", ".cargo"}
)
#: Files that decide what an assistant may do, or what runs later without a further call.
_GUARDED_FOLDERS: Final = frozenset({".claude", ".codex", ".cursor", ".gemini", ".remit"})
_GUARDED: Final = re.compile(
    r"(?:^|/)(?:\.git/(?:hooks(?:/|$)|config$)|\.mcp\.json$|\.claude\.json$|remit\.yaml$|"
    r"\.(?:bashrc|bash_profile|profile|zshrc|zprofile|zshenv)$|\.config/(?:autostart|systemd|fish)/|"
    r"\.vscode/(?:mcp|settings|tasks)\.json$|Library/LaunchAgents/)"
)
#: Parts of a guarded folder that an assistant writes in the course of its work.
_NOTES: Final = re.compile(r"/\.claude/(?:plans|projects/[^/]*/memory|todos)/")
#: Places outside a workspace that hold nothing personal.
_SYSTEM: Final = ("/tmp", "/var/tmp", "/private/tmp", "/usr", "/opt", "/lib", "/bin", "/etc", "/proc", "/dev")  # noqa: S108 - names of places, which nothing opens
_DRIVE: Final = re.compile(r"^[A-Za-z]:[\\/]")


class CodingPathKind(enum.StrEnum):
    """What a path is, seen from a workspace; the worst one that applies."""

    WORKSPACE = "workspace"
    FOREIGN = "foreign"
    SYSTEM = "system"
    OUTSIDE = "outside"
    SECRET = "secret"
    GUARDED = "guarded"


def absolute(path: str, cwd: str) -> str:
    """Return a path in normal form, resolved against a folder; `~` stays the name of a home."""
    path = path.strip()[:MAX_PATH]
    if _DRIVE.match(path):
        path = "/" + path[0].lower() + path[2:]
    path = path.replace("\\", "/")
    if path == "~" or path.startswith("~"):
        return posixpath.normpath(path)
    base = cwd.replace("\\", "/")
    if _DRIVE.match(cwd):
        base = "/" + base[0].lower() + base[2:]
    found = posixpath.normpath(posixpath.join(base or "/", path))
    return found[1:] if found.startswith("//") else found


def relative(path: str, workspace: str) -> str:
    """Return an absolute path as it is written from a workspace: below it without a slash at the start."""
    root = absolute(workspace, "/")
    if path == root:
        return "."
    return path[len(root) :].lstrip("/") if path.startswith(root.rstrip("/") + "/") else path


def within(path: str, workspace: str) -> bool:
    """Return whether an absolute path lies in a workspace. A home or root folder as workspace holds all."""
    root = absolute(workspace, "/").rstrip("/")
    return bool(workspace) and (path == root or path.startswith(root + "/"))


def kind_of(path: str, workspace: str, *, write: bool = False) -> CodingPathKind:
    """Return what an absolute path is. Files that steer an assistant are guarded against writes only."""
    names = [one for one in path.split("/") if one]
    if write and _steers(path, names):
        return CodingPathKind.GUARDED
    if _holds_secrets(names):
        return CodingPathKind.SECRET
    if within(path, workspace):
        root = absolute(workspace, "/").rstrip("/")
        below = path[len(root) :].split("/")
        return CodingPathKind.FOREIGN if _FOREIGN.intersection(below[:-1]) else CodingPathKind.WORKSPACE
    if any(path == one or path.startswith(one + "/") for one in _SYSTEM):
        return CodingPathKind.SYSTEM
    return CodingPathKind.FOREIGN if _FOREIGN.intersection(names[:-1]) else CodingPathKind.OUTSIDE


def _steers(path: str, names: list[str]) -> bool:
    if _GUARDED.search(path) is not None:
        return True
    return bool(_GUARDED_FOLDERS.intersection(names[:-1])) and _NOTES.search(path) is None


def _holds_secrets(names: list[str]) -> bool:
    if not names:
        return False
    last = names[-1].lower()
    if last.endswith(_HARMLESS_ENDS):
        return False
    if last in _SECRET_NAMES or last.endswith(_SECRET_ENDS) or last.startswith(".env."):
        return True
    return bool(_SECRET_FOLDERS.intersection(names))
