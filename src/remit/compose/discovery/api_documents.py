# SPDX-License-Identifier: Apache-2.0
"""OpenAPI documents below a path, as what an agent that is given them could call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from remit.adapters.discovery.file_tree import OsFileTree
from remit.core.discovery.boundary import DeclaredApi
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.sources.structure import MAX_BYTES, parsed
from remit.core.errors import RemitError
from remit.core.tools.http_api.document import read_api
from remit.ports.discovery.scans import FoundFile, ScanBounds

_ENDINGS: Final = (".json", ".yaml", ".yml")
#: Where a document names its version, near its beginning.
_HEAD_BYTES: Final = 4_096
_NAMED: Final = re.compile(rb"(?:^|[{,\s])[\"']?openapi[\"']?\s*:")


def api_documents(roots: Sequence[str], base: str) -> tuple[list[DeclaredApi], list[str]]:
    """Return the APIs, and the documents that say `openapi` and could not be read."""
    found: list[DeclaredApi] = []
    unread: list[str] = []
    for one in OsFileTree(all_files=False).files(roots, base, ScanBounds()):
        if not isinstance(one, FoundFile) or not one.path.lower().endswith(_ENDINGS):
            continue
        try:
            with open(one.path, "rb") as opened:
                head = opened.read(_HEAD_BYTES)
                content = head + opened.read(MAX_BYTES - len(head) + 1) if _NAMED.search(head) else b""
        except OSError:
            continue  # The scan of the same path tells it.
        if not content:
            continue
        root = parsed(content.decode("utf-8-sig", "replace"), one.path) if len(content) <= MAX_BYTES else None
        if root is not None and not (isinstance(root.value, dict) and "openapi" in root.value):
            continue
        try:
            api = read_api(root.value if root is not None else None)
        except RemitError:
            unread.append(one.file)
            continue
        found.append(
            DeclaredApi(
                title=api.title or one.file,
                place=FilePlace(file=one.file),
                reads=tuple(route.name for route in api.routes.values() if route.method.lower() == "get"),
                acts=tuple(route.name for route in api.routes.values() if route.method.lower() != "get"),
                left_out=len(api.left_out),
            )
        )
    return found, unread
