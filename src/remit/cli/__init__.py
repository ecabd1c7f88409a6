# SPDX-License-Identifier: Apache-2.0
"""Floor 6: the command line, one file per noun."""
