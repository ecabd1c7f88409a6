# SPDX-License-Identifier: Apache-2.0
"""Secrets in texts: detectors that find them, and what is wrong with where they stand.

Detectors work on the bytes of a text with RE2, in linear time; Python's own `re` only looks at a few hundred
bytes around what RE2 found. A secret leaves this room only as a keyed fingerprint and a tail.
"""
