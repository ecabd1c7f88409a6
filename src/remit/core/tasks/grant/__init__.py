# SPDX-License-Identifier: Apache-2.0
"""Grants: the tools that a task may call, with which arguments, and how often.

A `GrantTemplate` belongs to a task type and contains placeholders; `instantiate` turns it into a `Grant` when
a task opens. `attenuate` and `narrow` return a child's grant, which never exceeds its parent's.
"""

from remit.core.tasks.grant.conjunction import MAX_LAYERS, Grant, narrow
from remit.core.tasks.grant.layer import Ceilings, Layer, Refusal
from remit.core.tasks.grant.template import GrantTemplate

__all__ = ["MAX_LAYERS", "Ceilings", "Grant", "GrantTemplate", "Layer", "Refusal", "narrow"]
