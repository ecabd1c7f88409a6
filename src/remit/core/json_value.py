# SPDX-License-Identifier: Apache-2.0
"""The type of a parsed JSON value before validation."""

from __future__ import annotations

from typing import Any

Json = Any
"""A JSON value: an object, a list, a text, a number, true, false or null. It is not validated yet."""
