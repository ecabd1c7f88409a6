# SPDX-License-Identifier: Apache-2.0
"""What the sources of leased credentials share: checks of addresses, secrets and names."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import NAME_IT, SecretRef
from remit.config.reading.yaml_lines import Node

Url = Annotated[str, Meta(pattern=r"^https?://[^\s@#]+$")]
_LOCAL = ("localhost", "127.0.0.1", "::1")


_NAME = re.compile(r"\{([^{}]*)\}?")


def check_names(
    templates: dict[str, str], known: frozenset[str], key: str, node: Node, problems: Problems
) -> None:
    """Note a template that names a value which its source does not issue."""
    for place, template in templates.items():
        for name in _NAME.findall(template):
            if name not in known:
                problems.add(
                    f"does not provide `{name[:40]}` for `{place}`",
                    line=node.line_of(key),
                    key=key,
                    remediation=f"use {', '.join(f'`{{{one}}}`' for one in sorted(known))}",
                )


def check_secret(secret: SecretRef, key: str, node: Node, problems: Problems) -> None:
    """Note a secret that is written out."""
    if not secret.secret:
        problems.add(
            "is written literally",
            line=node.line_of(key),
            key=key,
            remediation=NAME_IT,
        )


def check_source(url: str, key: str, node: Node, problems: Problems) -> None:
    """Note an address that is unusable, or that would receive a secret in clear text."""
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        problems.add(
            "is not an http or https URL",
            line=node.line_of(key),
            key=key,
            remediation="write `https://host/path`",
        )
    elif parts.scheme == "http" and parts.hostname not in _LOCAL:
        problems.add(
            "would send a secret in the clear",
            line=node.line_of(key),
            key=key,
            remediation="use https, or a server on this machine",
        )
