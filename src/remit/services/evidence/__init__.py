# SPDX-License-Identifier: Apache-2.0
"""The evidence log: signed heads, proofs, exports, receipts and followers.

Events are appended by the store, together with the change that they record.
"""
