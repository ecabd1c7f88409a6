# SPDX-License-Identifier: Apache-2.0
"""Ways of notifying people and systems of what needs them."""
