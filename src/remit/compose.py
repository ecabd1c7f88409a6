# SPDX-License-Identifier: Apache-2.0
"""Floor 5: the only file that names adapters."""
