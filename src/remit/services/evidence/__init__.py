# SPDX-License-Identifier: Apache-2.0
"""The evidence log: signed heads, proofs, exports, receipts and followers.

The store appends each event together with the change that the event records.
"""
