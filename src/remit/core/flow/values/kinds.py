# SPDX-License-Identifier: Apache-2.0
"""Kinds of values that calls go to, for both readings of a value (`core.flow.values.strict_reading`,
`core.flow.values.destination`).
"""

from __future__ import annotations

import enum


class KindOfValue(enum.StrEnum):
    """What a value is."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    IBAN = "iban"
    PHONE = "phone"
    TEXT = "text"
