# SPDX-License-Identifier: Apache-2.0
"""What one file held: the secrets of its pieces, and its declarations.

A worker makes it, next to the text. What leaves the worker names secrets by fingerprint: declarations, and
what is told of secrets, are scrubbed of each secret that a detector found in the file or in their own texts.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeVar, cast

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
from remit.core.discovery.discovered import ExposedSecret, FilePlace, Piece, SourceKind
from remit.core.discovery.secrets.masks import whole_word, without_drawn_words

#: Most secrets and declarations of one file; the rest is counted.
MOST_SECRETS: Final = 2_000
MOST_DECLARATIONS: Final = 2_000
#: A shorter text is not replaced in declarations: it would be found in ordinary words.
_SHORTEST: Final = 4
#: What stands between texts that are searched together: no detector reads across it.
_APART: Final = "\n\x00\n"

T = TypeVar("T")


class FindsSecrets(Protocol):
    """What finds secrets in a piece of text, such as `secrets.detectors.SecretDetectors`.

    `left_out` counts what it did not look at so far, in texts made to take long.
    """

    left_out: int

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
    left_out, before = 0, detectors.left_out
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
                text = whole_word(one.text, secret.start, secret.end)
                place = secret.place
                key = secret.fingerprint, place.file, place.commit, place.line or place.inside
                if key not in at and len(secrets) >= MOST_SECRETS:
                    left_out += 1
                    continue
                if len(text) >= _SHORTEST:
                    texts[text] = _shown(secret)
                if key in at:
                    # Two readers saw the same text: the one that knows whose it is counts.
                    secrets[at[key]] = secret if secret.agent else secrets[at[key]]
                    continue
                at[key] = len(secrets)
                secrets.append(secret)
    if len(secrets) >= MOST_SECRETS and left_out:
        # A secret that is not listed could stand in a declaration.
        left_out += len(declared)
        declared = []
    texts |= _secrets_of_names(secrets, declared, detectors)
    left_out += detectors.left_out - before
    if texts:
        declared = [scrubbed(one, texts) for one in declared]
    declared = [_named(one) for one in declared]
    secrets = [_told(one, texts) for one in secrets]
    return FileContents(
        secrets=tuple(secrets),
        servers=tuple(one for one in declared if isinstance(one, DeclaredServer)),
        agents=tuple(one for one in declared if isinstance(one, DeclaredAgent)),
        tools=tuple(one for one in declared if isinstance(one, DeclaredTool)),
        exports=tuple(one for one in declared if isinstance(one, PermissionExport)),
        left_out=left_out,
    )


def _secrets_of_names(
    secrets: list[ExposedSecret], declared: list[Declaration], detectors: FindsSecrets
) -> dict[str, str]:
    """Return the secrets in texts that no reader yields as pieces: names, keys, places, users."""
    told = [(one.place.inside, one.user, one.target, one.agent) for one in secrets]
    exports = [one for one in declared if isinstance(one, PermissionExport)]
    others = [one for one in declared if not isinstance(one, PermissionExport)]
    # A document of permissions has no sentences.
    return secret_texts(texts_of([told, others]), detectors) | secret_texts(
        texts_of(exports), detectors, SourceKind.CONFIG
    )


def texts_of(value: object) -> dict[str, None]:
    """Return the distinct texts in a value, in their order."""
    found: dict[str, None] = {}

    def seen(text: str) -> str:
        found[text] = None
        return text

    _each_text(value, seen)
    return found


def secret_texts(
    texts: Iterable[str], detectors: FindsSecrets, kind: SourceKind = SourceKind.PROSE
) -> dict[str, str]:
    """Return the secrets that stand in short texts, each with what is shown in its place."""
    joined = _APART.join(one for one in texts if len(one) >= _SHORTEST)
    if not joined:
        return {}
    found = detectors.find(Piece(text=joined, place=FilePlace(file=""), kind=kind))
    shown = {whole_word(joined, one.start, one.end): _shown(one) for one in found}
    return {text: mark for text, mark in shown.items() if len(text) >= _SHORTEST and "\x00" not in text}


def _shown(secret: ExposedSecret) -> str:
    return f"[secret ...{secret.tail}]"


def scrubbed(value: T, texts: dict[str, str]) -> T:
    """Return a value in which each of the texts is replaced."""
    longest_first = sorted(texts, key=len, reverse=True)

    def without(text: str) -> str:
        for one in longest_first:
            if one in text:
                text = text.replace(one, texts[one])
        return text

    return _each_text(value, without)


def masked(value: T) -> T:
    """Return a value of names and excerpts with the words in them masked that a machine drew."""
    return _each_text(value, without_drawn_words)


def _named(one: Declaration) -> Declaration:
    """Return a declaration whose names are masked: the memory keeps them. Its texts are what judges read."""
    if isinstance(one, PermissionExport):
        return one
    name = without_drawn_words(one.name)
    if isinstance(one, DeclaredServer):
        tools = tuple(msgspec.structs.replace(tool, **_names_of(tool)) for tool in one.tools)
        return msgspec.structs.replace(one, name=name, agent=without_drawn_words(one.agent), tools=tools)
    if isinstance(one, DeclaredTool):
        return msgspec.structs.replace(one, **_names_of(one))
    return msgspec.structs.replace(one, name=name)


def _names_of(tool: DeclaredTool) -> dict[str, str]:
    return {"name": without_drawn_words(tool.name), "server": without_drawn_words(tool.server)}


def _told(secret: ExposedSecret, texts: dict[str, str]) -> ExposedSecret:
    """Return a secret whose place and account hold no other one; the name of its file stays."""
    told = (secret.place.inside, secret.user, secret.target, secret.agent)
    inside, user, target, agent = masked(scrubbed(told, texts))
    place = msgspec.structs.replace(secret.place, inside=inside)
    return msgspec.structs.replace(secret, place=place, user=user, target=target, agent=agent)


def encodable(contents: FileContents) -> FileContents:
    """Return contents that can be encoded: halves of surrogate pairs, which JSON can hold, are replaced."""
    return _each_text(contents, _whole_characters)


def _whole_characters(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _each_text(value: T, changed: Callable[[str], str]) -> T:
    """Return a value with each text in it changed; enumerations are no texts."""
    made: object = value
    if isinstance(value, enum.Enum):
        pass
    elif isinstance(value, str):
        made = changed(value)
    elif isinstance(value, list | tuple):
        made = type(value)(_each_text(one, changed) for one in value)
    elif isinstance(value, dict):
        made = {changed(name): _each_text(one, changed) for name, one in value.items()}
    elif isinstance(value, msgspec.Struct):
        fields = {name: _each_text(getattr(value, name), changed) for name in value.__struct_fields__}
        made = msgspec.structs.replace(value, **fields)
    return cast(T, made)
