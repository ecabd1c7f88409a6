# SPDX-License-Identifier: Apache-2.0
"""Floor 4: one folder per port, one file per backend."""
