# SPDX-License-Identifier: Apache-2.0
"""Floor 4, the adapters: one folder per port, one file per backend."""
