# SPDX-License-Identifier: Apache-2.0
"""The policy bundle as files: policies, `tools/` and `tasks/`, read as one value with one digest."""
