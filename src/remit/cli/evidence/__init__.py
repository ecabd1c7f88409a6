# SPDX-License-Identifier: Apache-2.0
"""Commands about evidence: `remit audit`, findings, exports, receipts, verification."""
