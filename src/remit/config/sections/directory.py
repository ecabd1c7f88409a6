# SPDX-License-Identifier: Apache-2.0
"""The directory: the audience of addresses that the organisation knows."""

from __future__ import annotations

from collections.abc import Mapping

from remit.config.reading.decoding import Problems
from remit.config.reading.yaml_lines import Node
from remit.core.errors import ConfigInvalid
from remit.core.label import AUDIENCE_RULE, audience_fault
from remit.core.tools import constraint


def is_domain(name: str) -> bool:
    """Return whether an entry of the directory is a domain of mail addresses."""
    return "." in name and "@" not in name


def check_directory(directory: Mapping[str, str], node: Node, problems: Problems) -> None:
    """Note entries whose audience or domain is invalid."""
    line = node.line_of("directory")
    for name, audience in directory.items():
        key = f"directory.{name}"
        if fault := audience_fault(audience):
            problems.add(fault, line=line, key=key, remediation=AUDIENCE_RULE)
        elif is_domain(name):
            try:
                constraint.load({"email_domain": [name]}, key)
            except ConfigInvalid as wrong:
                problems.add(f"`{name}` is not a domain", line=line, key=key, remediation=wrong.remediation)
