# SPDX-License-Identifier: Apache-2.0
"""Floor 3: the asynchronous use cases, built on core values and ports."""
