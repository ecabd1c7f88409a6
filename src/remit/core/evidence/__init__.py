# SPDX-License-Identifier: Apache-2.0
"""The evidence log as values: events, the Merkle tree, checkpoints, exports, receipts and their verification.

Everything here verifies offline, with only the log's public key. Appending and signing belong to
`services.evidence.log` and the store.
"""
