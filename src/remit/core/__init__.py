# SPDX-License-Identifier: Apache-2.0
"""Floor 1, pure code: no input or output, no clock, no entropy, no logging. Functions take values and return
values.
"""
