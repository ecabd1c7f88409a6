# SPDX-License-Identifier: Apache-2.0
"""Narrowing a credential to its task: templates of the configuration, filled with the task's values.

`{task}`, `{agent}`, `{person}` and `{lease}` denote those of the task; any other name in braces denotes the
task's parameter of that name. A value is inserted into a single text of a structure, never into text that is
parsed afterwards, so that it adds no structure. The caller decides which characters a value must not contain,
so that it does not widen the template's meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from remit.core.errors import NothingDone
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted

PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
#: Returns whether a value may be inserted at its place.
Fits = Callable[[str], bool]


def texts_of(wanted: LeaseWanted) -> dict[str, Json]:
    """Return the values that a template can name. remit's own names take precedence over parameters."""
    task = wanted.task
    own = {"task": task.id, "agent": task.agent, "person": task.on_behalf_of, "lease": wanted.lease}
    return {**task.intent.params, **own}


def fill(template: Json, values: Mapping[str, Json], fits: Fits) -> Json:
    """Fill every text of a structure; raises `NothingDone` for a value that is missing or does not fit.

    A list item that consists of one name only, and whose value is a list, becomes several items.
    """
    if isinstance(template, str):
        return PLACE.sub(lambda place: _text(place[1], values, fits), template)
    if isinstance(template, dict):
        return {key: fill(inner, values, fits) for key, inner in template.items()}
    if isinstance(template, list | tuple):
        out: list[Json] = []
        for inner in template:
            whole = PLACE.fullmatch(inner) if isinstance(inner, str) else None
            several = values.get(whole[1]) if whole else None
            if whole and isinstance(several, list | tuple) and several:
                out += [_fitting(whole[1], one, fits) for one in several]
            else:
                out.append(fill(inner, values, fits))
        return out
    return template


def _text(name: str, values: Mapping[str, Json], fits: Fits) -> str:
    if name not in values:
        raise NothingDone(
            f"the task has no parameter `{name[:40]}`, which its credential needs",
            code="lease-parameter",
            remediation="give the task type that parameter, or remove it from the lease's templates",
        )
    return _fitting(name, values[name], fits)


def _fitting(name: str, value: Json, fits: Fits) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or not text.isprintable() or not fits(text):
        raise NothingDone(
            f"the task's `{name[:40]}` cannot be used to limit its credential",
            code="lease-parameter",
            remediation="constrain the parameter in the task type to plain texts: a value that is empty "
            "or could extend the credential is refused",
        )
    return text
