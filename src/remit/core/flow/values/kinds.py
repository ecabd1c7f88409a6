# SPDX-License-Identifier: Apache-2.0
"""Kinds of values that calls send to, for both readings of a value.

The readings are `core.flow.values.strict_reading` and `core.flow.values.destination`.
"""

from __future__ import annotations

import enum


class KindOfValue(enum.StrEnum):
    """The kind of a value."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    IBAN = "iban"
    PHONE = "phone"
    TEXT = "text"

    # Members are looked up for every value: the hash of an enumeration is a call of Python.
    __hash__ = str.__hash__


#: INVARIANT: a link of a named source may be read without a question, so all links there are candidates.
LINKS = (KindOfValue.URL, KindOfValue.HOST)
