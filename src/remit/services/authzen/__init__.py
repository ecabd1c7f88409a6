# SPDX-License-Identifier: Apache-2.0
"""Decisions for enforcement points outside remit (AuthZEN): evaluation, search, and access to both.

The other enforcement point carries the call out; remit decides and records.
"""
