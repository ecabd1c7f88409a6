# SPDX-License-Identifier: Apache-2.0
"""Reading the OpenAPI documents of HTTP APIs, which belong to the bundle."""

from __future__ import annotations

from remit.config.reading.folder import MAX_DOCUMENT_BYTES
from remit.config.reading.yaml_lines import Node, read_text, read_yaml
from remit.config.settings import UpstreamSection
from remit.core.canonical import parse_strict
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.json_value import Json
from remit.core.tools.http_api import Api, read_api

MAX_DEPTH = 64


def api_of(content: bytes, file: str, section: UpstreamSection) -> Api:
    """Return the routes that a document describes; raises `ConfigInvalid` naming file, line and key."""
    headers = {*section.headers, *(section.lease.headers if section.lease is not None else ())}
    credentials = frozenset(name.lower() for name in headers)
    node: Node | None = None
    if file.endswith(".json"):
        try:
            document: Json = parse_strict(content, max_bytes=MAX_DOCUMENT_BYTES, max_depth=MAX_DEPTH)
        except Malformed as fault:
            raise ConfigInvalid(
                fault.message, file=file, remediation=fault.remediation or "write JSON"
            ) from None
    else:
        node = read_yaml(read_text(content, file), file)
        document = node.plain()
    try:
        return read_api(document, credentials=credentials)
    except ConfigInvalid as fault:
        line = node.line_of(fault.key) if node is not None else None
        what = fault.message.partition(": ")[2] if fault.key else fault.message
        raise ConfigInvalid(
            what, file=file, line=line, key=fault.key, remediation=fault.remediation
        ) from None
    except Malformed as fault:
        raise ConfigInvalid(fault.message, file=file, remediation="repair the document") from None
