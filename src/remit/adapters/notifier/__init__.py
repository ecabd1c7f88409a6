# SPDX-License-Identifier: Apache-2.0
"""Ways to notify people and systems of what needs their attention."""
