# SPDX-License-Identifier: Apache-2.0
"""Findings, stored and resolved, and the detection of identities that two processes share.

A finding is shown to people; it refuses no call.
"""
