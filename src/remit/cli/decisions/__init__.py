# SPDX-License-Identifier: Apache-2.0
"""Commands about decisions: approvals, `remit can`, stored labels."""
