# SPDX-License-Identifier: Apache-2.0
"""Attestors, and their trust anchors: keys of issuers and bundles of trust domains."""
