# SPDX-License-Identifier: Apache-2.0
"""`remit finding`: findings, the draft that closes one, and the proof that a secret is dead."""
