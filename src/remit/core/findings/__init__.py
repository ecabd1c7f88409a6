# SPDX-License-Identifier: Apache-2.0
"""Findings: what was seen that nobody has accounted for.

A finding names what it is about, how severe it is and how it is resolved. It takes no authority away.
"""
