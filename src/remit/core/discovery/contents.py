# SPDX-License-Identifier: Apache-2.0
"""What one file held: the secrets of its pieces, and its declarations.

A worker makes it, next to the text. What leaves the worker names secrets by fingerprint: declarations
are scrubbed of each secret that a detector found in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

import msgspec

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import (
    Declaration,
    DeclaredAgent,
    DeclaredServer,
    DeclaredTool,
    PermissionExport,
    Read,
)
from remit.core.discovery.discovered import ExposedSecret, Piece
from remit.core.json_value import Json

#: Most secrets and declarations of one file; the rest is counted.
MOST_SECRETS: Final = 2_000
MOST_DECLARATIONS: Final = 2_000
#: A shorter text is not replaced in declarations: it would be found in ordinary words.
_SHORTEST: Final = 4


class FindsSecrets(Protocol):
    """What finds secrets in a piece of text, such as `secrets.detectors.SecretDetectors`."""

    def find(self, piece: Piece) -> list[ExposedSecret]:
        """Return the secrets of a piece, in its order."""
        ...


class ReadsChunks(Protocol):
    """What yields the pieces and declarations of a chunk, such as `sources.readers.read`."""

    def __call__(self, chunk: FileChunk, /) -> Iterator[Read]:
        """Yield what the chunk holds; raises nothing for hostile content."""
        ...


class FileContents(msgspec.Struct, frozen=True, kw_only=True):
    """What a file held. `left_out` counts what is more than one file may yield."""

    secrets: tuple[ExposedSecret, ...] = ()
    servers: tuple[DeclaredServer, ...] = ()
    agents: tuple[DeclaredAgent, ...] = ()
    tools: tuple[DeclaredTool, ...] = ()
    exports: tuple[PermissionExport, ...] = ()
    left_out: int = 0

    @property
    def declares(self) -> bool:
        """Whether the file held anything but secrets."""
        return bool(self.servers or self.agents or self.tools or self.exports)


def contents_of(chunks: Iterable[FileChunk], read: ReadsChunks, detectors: FindsSecrets) -> FileContents:
    """Return what the chunks of one file hold."""
    secrets: list[ExposedSecret] = []
    declared: list[Declaration] = []
    texts: dict[str, str] = {}
    at: dict[tuple[str, str, str, int | str], int] = {}
    left_out = 0
    for chunk in chunks:
        for one in read(chunk):
            if not isinstance(one, Piece):
                if chunk.commit:
                    continue  # What an older version declared is in force no more; its secrets may be.
                if len(declared) < MOST_DECLARATIONS:
                    declared.append(one)
                else:
                    left_out += 1
                continue
            for secret in detectors.find(one):
                place = secret.place
                key = secret.fingerprint, place.file, place.commit, place.line or place.inside
                if key in at:
                    # Two readers saw the same text: the one that knows whose it is counts.
                    secrets[at[key]] = secret if secret.agent else secrets[at[key]]
                    continue
                if len(secrets) >= MOST_SECRETS:
                    left_out += 1
                    continue
                at[key] = len(secrets)
                secrets.append(secret)
                text = one.text[secret.start : secret.end]
                if len(text) >= _SHORTEST:
                    texts[text] = f"[secret ...{secret.tail}]"
    if texts:
        declared = [scrubbed(one, texts) for one in declared]
    return FileContents(
        secrets=tuple(secrets),
        servers=tuple(one for one in declared if isinstance(one, DeclaredServer)),
        agents=tuple(one for one in declared if isinstance(one, DeclaredAgent)),
        tools=tuple(one for one in declared if isinstance(one, DeclaredTool)),
        exports=tuple(one for one in declared if isinstance(one, PermissionExport)),
        left_out=left_out,
    )


def scrubbed(declaration: Declaration, texts: dict[str, str]) -> Declaration:
    """Return a declaration in which each of the texts is replaced."""
    longest_first = sorted(texts, key=len, reverse=True)

    def without(text: str) -> str:
        for one in longest_first:
            if one in text:
                text = text.replace(one, texts[one])
        return text

    return msgspec.convert(_each_text(msgspec.to_builtins(declaration), without), type(declaration))


def encodable(contents: FileContents) -> FileContents:
    """Return contents that can be encoded: halves of surrogate pairs, which JSON can hold, are replaced."""
    return msgspec.convert(_each_text(msgspec.to_builtins(contents), _whole_characters), FileContents)


def _whole_characters(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _each_text(value: Json, changed: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return changed(value)
    if isinstance(value, list | tuple):
        return [_each_text(one, changed) for one in value]
    if isinstance(value, dict):
        return {changed(name): _each_text(one, changed) for name, one in value.items()}
    return value
