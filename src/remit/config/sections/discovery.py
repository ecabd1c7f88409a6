# SPDX-License-Identifier: Apache-2.0
"""Discovery: what is scanned beside remit, and who delivers scans from elsewhere."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.section import Name, Seconds, Section, Text


class DiscoverySection(Section, frozen=True, kw_only=True):
    """Scans that `remit up` does by itself, and scans that are delivered to it."""

    paths: Annotated[
        tuple[Text, ...],
        Meta(description="Files and folders on this machine that are scanned. Default: none."),
    ] = ()
    scope: Annotated[
        Text,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9._/-]{0,79}$",
            description="Name of these scans: findings that a later one no longer sees are fixed.",
        ),
    ] = "here"
    every: Annotated[Seconds, Meta(ge=60, description="Interval of the scans.")] = 6 * 3600
    live: Annotated[
        bool,
        Meta(description="Whether grants that agents do not use become findings (`unused-authority`)."),
    ] = False
    scanners: Annotated[
        dict[Name, tuple[Text, ...]],
        Meta(
            description="Agents that may deliver scans (`remit discover --send`), with their scopes. A "
            "`*` at the end stands for every ending."
        ),
    ] = {}
