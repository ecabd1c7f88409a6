# SPDX-License-Identifier: Apache-2.0
"""Floor 1, pure: values in, values out. No input or output, no clock, no entropy, no logging."""
