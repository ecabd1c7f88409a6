# SPDX-License-Identifier: Apache-2.0
"""What ends something, and the record of what an end meant (the closure).

Scopes and their epochs, by which an end is seen, are in `core.scope`.
"""
