# SPDX-License-Identifier: Apache-2.0
"""Types of facts in Cedar's schema syntax."""

from __future__ import annotations

from remit.adapters.policy.cedar.policy_text import attribute
from remit.adapters.policy.types import Kind, Shape


def cedar_type(shape: Shape) -> str:
    """Return a type in Cedar's schema syntax."""
    if shape.of is not None:
        return f"Set<{cedar_type(shape.of)}>"
    if shape.kind is not Kind.RECORD:
        return shape.kind.value
    inner = ", ".join(
        f"{attribute(name)}{'' if name in shape.required else '?'}: {cedar_type(below)}"
        for name, below in sorted(shape.fields.items())
    )
    return f"{{ {inner} }}" if inner else "{}"
