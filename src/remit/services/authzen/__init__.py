# SPDX-License-Identifier: Apache-2.0
"""Decisions for enforcement points that are not remit (AuthZEN): evaluation, search, and who may ask.

The other enforcement point carries the call out; remit decides and records.
"""
