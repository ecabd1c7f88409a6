# SPDX-License-Identifier: Apache-2.0
"""Which files a tree leaves out: by its ignore files, by folders of other people's code, by kind.

A file in which secrets usually stand, such as `.env`, is ignored by Git *because* it holds them: so
`.gitignore` and `.ignore` do not leave it out; only `.remitignore` does.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Final, NamedTuple

import re2
from pathspec import GitIgnoreSpec

#: The ignore file that leaves out everything that it names.
OWN: Final = ".remitignore"
_OTHERS: Final = (".gitignore", ".ignore")
_MAX_BYTES: Final = 256 * 1024
_MAX_LINES: Final = 5_000
#: What the library raises for lines that are no patterns.
FAULTS: Final = (ValueError, re.error, re2.error)

#: Folders of installed packages, caches and objects: made by programs, and not what people and agents wrote.
PRUNED: Final = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "site-packages", "dist-packages",
    ".venv", "venv", ".virtualenv", "__pycache__", ".tox", ".nox", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".hypothesis", ".eggs", ".gradle", ".m2", ".cargo", ".rustup", ".npm", ".nvm",
    ".pnpm-store", ".yarn", ".bundle", ".terraform", ".next", ".nuxt", ".cache", ".Trash", ".stack",
    ".ivy2", ".pub-cache", "DerivedData", "Caches",
})  # fmt: skip

#: Kinds that hold no text: never opened.
_BINARY: Final = frozenset({
    "png", "jpg", "jpeg", "gif", "bmp", "ico", "icns", "webp", "tif", "tiff", "psd", "heic", "avif", "mp3",
    "mp4", "m4a", "m4v", "mov", "avi", "mkv", "webm", "ogg", "oga", "ogv", "wav", "flac", "aac", "woff",
    "woff2", "ttf", "otf", "eot", "so", "dylib", "dll", "exe", "a", "o", "obj", "lib", "pyc", "pyo", "pyd",
    "class", "wasm", "iso", "dmg", "img", "vmdk", "qcow2", "deb", "rpm", "msi", "pdf", "dvi", "ps",
    "safetensors", "gguf", "onnx", "pt", "pth", "ckpt", "h5", "npy", "npz", "pickle", "pkl", "joblib", "rlib",
    "rmeta", "node", "lockb", "pack", "idx", "7z", "rar", "xz", "lz4", "br", "whl", "egg",
})  # fmt: skip

_TELLING_FOLDERS: Final = frozenset({
    ".claude", ".cursor", ".codex", ".gemini", ".vscode", ".windsurf", ".codeium", ".continue", ".zed",
    ".aws", ".kube", ".docker", ".config", ".azure", ".gcloud", ".github", ".ssh", ".roo", ".cline",
    ".amazonq", ".kiro",
})  # fmt: skip
_TELLING_FILES: Final = re.compile(
    r"""(?ix)
    \.env(?:[.\-_].*)? | .*\.env | \.envrc | \.?mcp(?:[._-].*)?\.json | claude.*\.(?:json|md) |
    \.claude\.json | \.netrc | \.pgpass | \.npmrc | \.pypirc | \.git-credentials | \.my\.cnf |
    \.\w+_history | credentials(?:\.\w+)? | secrets?(?:\.\w+)? | .*\.tfvars(?:\.json)? |
    .*\.tfstate(?:\.backup)? | .*\.pem | id_(?:rsa|ecdsa|ed25519) | kubeconfig(?:\..*)? |
    .*service[_-]?account.*\.json | docker-compose.*\.ya?ml | local\.settings\.json
    """
)


def is_telling(path: str, *, folder: bool) -> bool:
    """Return whether a file or folder of this name, or in such a folder, usually holds credentials or an
    agent's configuration.
    """
    *folders, name = path.rstrip("/").split("/")
    if folder:
        folders.append(name)
    return not _TELLING_FOLDERS.isdisjoint(folders) or (
        not folder and _TELLING_FILES.fullmatch(name) is not None
    )


def is_binary_name(name: str) -> bool:
    """Return whether files of this name hold no text."""
    return name.rpartition(".")[2].lower() in _BINARY and "." in name


class IgnoreRules(NamedTuple):
    """The ignore files of a folder, each with whether it is remit's own, and the rules of folders above it.

    A folder without any shares its parent's rules.
    """

    above: IgnoreRules | None
    prefix: str
    specs: tuple[tuple[GitIgnoreSpec, bool], ...]

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Return whether a file below these folders is left out."""
        telling: bool | None = None
        rules: IgnoreRules | None = self
        while rules is not None:
            below = path[len(rules.prefix) :] + ("/" if folder else "")
            for spec, own in rules.specs:
                included = spec.check_file(below).include
                if included is None:
                    continue
                if own or not included:
                    return included
                telling = is_telling(below, folder=folder) if telling is None else telling
                if not telling:
                    return True
            rules = rules.above
        return False


def rules_in(
    folder: str, names: set[str], above: IgnoreRules | None, *, all_files: bool
) -> IgnoreRules | None:
    """Return the rules for a folder with these names in it. With `all_files`, only remit's own count."""
    specs = [
        (_spec(lines), name == OWN)
        for name in (OWN, *(() if all_files else _OTHERS))
        if name in names and (lines := lines_of(f"{folder}/{name}"))
    ]
    return IgnoreRules(above, f"{folder}/", tuple(specs)) if specs else above


def lines_of(path: str) -> list[str]:
    """Return the lines of a small file that say something; none if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []
        text = os.read(descriptor, _MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return [line for line in text.splitlines()[:_MAX_LINES] if line and not line.startswith("#")]


def _spec(lines: list[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except FAULTS:
        # One line that is no pattern must not make the others count for nothing.
        return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except FAULTS:
        return False
    return True
