# SPDX-License-Identifier: Apache-2.0
"""OAuth authorization servers as a source of credentials: a token for a task, by several grants."""
