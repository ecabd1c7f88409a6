# SPDX-License-Identifier: Apache-2.0
"""The type of what JSON says before anything has judged its form."""

from __future__ import annotations

from typing import Any

Json = Any
"""A value of JSON: an object, a list, a text, a number, true, false or null. Nothing is known of it yet."""
