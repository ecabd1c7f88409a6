# SPDX-License-Identifier: Apache-2.0
"""Changes of the store about labels at rest, and labels that rise in tasks which others were handed."""

from __future__ import annotations

import msgspec

from remit.core.flow.stored_labels import StoredLabel
from remit.core.label import Classes, Label


class PutStoredLabel(msgspec.Struct, frozen=True):
    """Insert or replace what is known of one resource (the caller has joined).

    With `was`, `ChangedMeanwhile` unless that is what is kept: what was written since somebody looked is not
    declassified. With `classes` it is joined into what is kept: others may have written there too.
    """

    stored_label: StoredLabel
    was: StoredLabel | None = None
    classes: Classes | None = None


class DropStoredLabel(msgspec.Struct, frozen=True):
    """Forget a holding; nothing where there is none."""

    tenant: str
    upstream: str
    resource: str


class JoinLabels(msgspec.Struct, frozen=True):
    """Join a label into the accumulated labels of tasks, whoever holds them; unknown tasks are left out."""

    tenant: str
    tasks: tuple[str, ...]
    label: Label
    classes: Classes


HoldingChange = PutStoredLabel | DropStoredLabel | JoinLabels
