# SPDX-License-Identifier: Apache-2.0
"""OAuth authorization servers as a source of credentials: one token per task, by several grants."""
