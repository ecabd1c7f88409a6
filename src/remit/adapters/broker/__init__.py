# SPDX-License-Identifier: Apache-2.0
"""Where upstream credentials come from."""
