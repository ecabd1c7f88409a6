# SPDX-License-Identifier: Apache-2.0
"""Ways of telling people and systems of what needs them."""
