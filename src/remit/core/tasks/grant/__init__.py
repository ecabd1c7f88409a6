# SPDX-License-Identifier: Apache-2.0
"""Grants: what a task may call, with which arguments, how often.

A `GrantTemplate` is what a task type says, with placeholders; `instantiate` makes a `Grant` of it when a task
opens. `attenuate` and `narrow` give what a child gets of it, which is never more.
"""

from remit.core.tasks.grant.conjunction import MAX_LAYERS, Grant, narrow
from remit.core.tasks.grant.layer import Ceilings, Layer, Refusal
from remit.core.tasks.grant.template import GrantTemplate

__all__ = ["MAX_LAYERS", "Ceilings", "Grant", "GrantTemplate", "Layer", "Refusal", "narrow"]
