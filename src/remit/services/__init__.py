# SPDX-License-Identifier: Apache-2.0
"""Floor 3: the use cases, asynchronous, over core values and ports."""
