# SPDX-License-Identifier: Apache-2.0
"""Fewer examples than other properties have, for those whose every example costs much."""

from typing import Final

from hypothesis import settings

FEWER: Final = settings(max_examples=max(10, settings().max_examples // 4))
"""A quarter of the profile's examples (`tests/conftest.py`): `deep` searches as far as it ever did."""
