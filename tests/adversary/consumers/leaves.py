# SPDX-License-Identifier: Apache-2.0
"""What stands in an argument as programs take it apart: places of lists, members of objects, and their
names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = Any

#: Names of members that say what a member is; every other name can be a value itself (`{"ana@x.org":
#: "Ana"}`).
_NAMES = (
    "name email address addresses to cc bcc id type url uri href value amount currency unit text handle user "
    "recipient recipients path file iban account phone number host label title kind display_name displayname "
    "primary items list order customer code token script command args sql date percent quantity channel data "
    "query key ref first last part parts a b c"
)
MEMBERS = frozenset(_NAMES.split())
#: Members that are there to be shown, where another member says where something goes.
SHOWN = frozenset({"name", "label", "title", "display_name", "displayname", "type", "kind", "primary"})


def leaves(value: Json) -> Iterator[Json]:
    """Yield every value that a program may use of an argument, texts, numbers and None, each as it stands."""
    if isinstance(value, dict):
        names = {str(one).strip().casefold() for one in value}
        shown = SHOWN if names - SHOWN else frozenset()
        for key, below in value.items():
            name = str(key).strip().casefold()
            if name not in MEMBERS:
                yield key
            if name not in shown:
                yield from leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below)
    else:
        yield value


def texts(value: Json) -> Iterator[str]:
    """Yield the texts of an argument, and its numbers as text; what is neither reaches nothing by itself."""
    for leaf in leaves(value):
        if isinstance(leaf, str):
            yield leaf
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            yield str(leaf)
