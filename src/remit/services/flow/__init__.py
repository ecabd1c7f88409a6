# SPDX-License-Identifier: Apache-2.0
"""Step 8 and labels: observed results of calls, stored labels, and declassification.

The rules for tracing values are in `core.flow`.
"""
