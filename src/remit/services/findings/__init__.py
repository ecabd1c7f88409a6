# SPDX-License-Identifier: Apache-2.0
"""Findings kept and resolved, and identities that two processes share.

A finding is shown to people; it refuses no call.
"""
