# SPDX-License-Identifier: Apache-2.0
"""Readers of JSON and YAML: chats and traces as messages, notebooks as cells, the rest as configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec
import re2

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.documents import MAX_YAML, json_tree, plain, yaml_trees
from remit.core.discovery.sources.infrastructure import INFRASTRUCTURE, infrastructure_exports
from remit.core.discovery.sources.json_lines import agents_of, client_of
from remit.core.discovery.sources.messages import MessageWalk
from remit.core.discovery.sources.notebooks import is_notebook, notebook_reads
from remit.core.discovery.sources.permissions import PERMISSIONS, permission_exports
from remit.core.discovery.sources.taken_values import VALUE_FIELDS, escaped_values, taken_values
from remit.core.discovery.sources.text import (
    LineBatch,
    extension_of,
    kind_of,
    pieces,
    pieces_apart,
    place_of,
    text_of_bytes,
)
from remit.core.json_value import Json

_JSON: Final = frozenset(
    ("json", "jsonc", "json5", "ipynb", "tfstate", "webmanifest", "code-workspace", "har", "cast", "template")
)
#: Marks of conversations and traces. These tables are looked for in every file, so they are RE2's.
_CONVERSATION: Final = re2.compile(
    rb'"(?:role|sender|speaker|author|run_type|gen_ai[.\w]*|llm[.]\w+|conversations?|chat_messages|bubbles|toolCalls'
    rb'|tool_calls|tool_use|resourceSpans|scopeSpans|messages)"\s*:|"gen_ai\.|"llm\.input|"(?:Human|AI|System)Message"'
)
_TELLING: Final = rb"(?:pass|pwd|secret|token|key|auth|cred|dsn|conn|url|uri)"
_LABELS: Final = rb"(?:name|key|variable|id|parameterkey|environment_variable)"
_VALUE_FIELDS: Final = b"(?:" + "|".join(sorted(VALUE_FIELDS)).encode() + b")"
#: Marks of values that the plain text hides, beside escapes: a login, a prompt, a block.
_HIDING: Final = re2.compile(rb'(?i)"auths"|"kind"\s*:\s*"secret|prompt|instructions|backstory|persona')
_YAML_HIDING: Final = re2.compile(
    rb"(?i)" + _TELLING + rb"[\w.-]*['\"]?:[ \t]*[|>][^\n]*\r?\n[ \t]"
    + rb"|kind:[ \t]*['\"]?Secret|auths:|\\[nu\"/]"
    + rb"|prompt|instructions|backstory|persona|role:[ \t]*['\"]?system"
)  # fmt: skip
#: A telling name elsewhere, which counts where there is a value without one.
_NAMING: Final = re2.compile(
    rb'(?i)"' + _LABELS + rb'"\s*:\s*"[^"\n]*' + _TELLING + rb"|" + _TELLING + rb'[\w.-]*"\s*:\s*[{]'
)
_VALUING: Final = re2.compile(rb'(?i)"' + _VALUE_FIELDS + rb'"\s*:\s*"')
_YAML_NAMING: Final = re2.compile(
    rb"(?i)\b" + _LABELS + rb":[ \t]*['\"]?[^\n]*" + _TELLING
    + rb"|" + _TELLING + rb"[\w.-]*['\"]?:[ \t]*\r?\n[ \t]"
)  # fmt: skip
_YAML_VALUING: Final = re2.compile(
    rb"(?i)\b" + _VALUE_FIELDS + rb"['\"]?:[ \t]*[^\s#]|\bvalue['\"]?:[ \t]*\r?\n"
)
#: Largest JSON text that is read as a tree only for what it hides.
_MAX_TREE: Final = 1_000_000
#: Files of package managers: large, in every repository, and the same for all who install.
_LOCK: Final = re.compile(r"(?:-lock|\.lock|-shrinkwrap)\.json$")


class JsonReader:
    """Reads a JSON document, a part of a large one, or a broken one."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so, or the first bytes where the name says nothing."""
        if extension_of(chunk.file) in _JSON:
            return True
        return chunk.content[:64].lstrip()[:1] in (b"{", b"[") and kind_of(chunk) is not SourceKind.CODE

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield messages, cells, or the text with what it hides; and the permissions in it."""
        text = text_of_bytes(chunk.content)
        if text is None:
            return
        content = chunk.content
        if _CONVERSATION.search(content):
            yield from self._conversation(chunk, text)
        elif is_notebook(content):
            yield from notebook_reads(text, chunk)
        elif len(text) <= _MAX_TREE and not _LOCK.search(chunk.file) and _hides(content):
            yield from pieces_apart(
                text, taken_values(json_tree(text), escapes=True), chunk, SourceKind.CONFIG
            )
        elif "\\" in text:
            yield from pieces_apart(text, escaped_values(text), chunk, SourceKind.CONFIG)
        else:
            yield from pieces(text, place_of(chunk), SourceKind.CONFIG)
        if chunk.whole and PERMISSIONS.search(content):
            document = _decoded(text)
            yield from permission_exports([document], chunk)
            if INFRASTRUCTURE.search(content):
                yield from infrastructure_exports(document, chunk)

    def _conversation(self, chunk: FileChunk, text: str) -> Iterator[Read]:
        begin = chunk.content[:65_536]
        client = client_of(begin)
        one_line = b"\n" not in chunk.content.strip()
        value = _decoded(text) if one_line else None
        walk = MessageWalk(chunk, agent=client)
        walk.walk(json_tree(text) if value is None else value, chunk.line)
        yield from walk.found
        batch = LineBatch(chunk, SourceKind.TRANSCRIPT)
        for line, short in walk.rest:
            yield from batch.add(line, short)
        yield from batch.flush()
        yield from agents_of(walk, chunk, client, begin)


class YamlReader:
    """Reads YAML documents: Kubernetes, Compose, CI, Helm, Ansible, prompts. Templates are read as text."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so."""
        return extension_of(chunk.file) in ("yaml", "yml")

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the text with what it hides, and the permissions in it."""
        text = text_of_bytes(chunk.content)
        if text is None:
            return
        hiding = _YAML_HIDING.search(chunk.content) or (
            _YAML_NAMING.search(chunk.content) and _YAML_VALUING.search(chunk.content)
        )
        permitting = chunk.whole and PERMISSIONS.search(chunk.content)
        trees = list(yaml_trees(text)) if len(text) <= MAX_YAML and (hiding or permitting) else []
        taken = [one for tree in trees for one in taken_values(tree, escapes=False)]
        yield from pieces_apart(text, taken, chunk, SourceKind.CONFIG)
        if permitting:
            yield from permission_exports(trees, chunk)
            if INFRASTRUCTURE.search(chunk.content):
                for tree in trees:
                    yield from infrastructure_exports(plain(tree), chunk)


def _hides(content: bytes) -> bool:
    """Return whether the values of a JSON document have to be told by the tree that they are in."""
    if _HIDING.search(content) is not None:
        return True
    return _NAMING.search(content) is not None and _VALUING.search(content) is not None


def _decoded(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
        return None
