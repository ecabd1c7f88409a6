# SPDX-License-Identifier: Apache-2.0
"""Read the configurations of agents below some paths: nothing is started, connected to or changed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from remit.cli.discover.command import places
from remit.compose.discovery.api_documents import api_documents
from remit.compose.discovery.scans import discovery_scans
from remit.core.controls.programme import Initiative
from remit.core.discovery.baseline import KEY_BYTES
from remit.core.discovery.boundary import BoundaryReport, would_cross
from remit.services.discovery.scans import ScanRequest


def read_configurations(paths: list[Path], initiatives: Sequence[Initiative]) -> BoundaryReport:
    """Return what would cross; raises `NotFound` for a path that does not exist."""
    roots, base = places(paths)
    service = discovery_scans(key=secrets.token_bytes(KEY_BYTES), folder=None)
    declared = service.declared(ScanRequest(base=base, roots=tuple(roots)))
    apis, unread = api_documents(roots, base)
    declared = msgspec.structs.replace(
        declared,
        apis=tuple(apis),
        unread=(*declared.unread, *unread),
        complete=declared.complete and not unread,
    )
    return would_cross(declared, initiatives, base)
