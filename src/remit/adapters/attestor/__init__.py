# SPDX-License-Identifier: Apache-2.0
"""Attestors, and what they rest on: keys of issuers and bundles of trust domains."""
