# SPDX-License-Identifier: Apache-2.0
"""Ports of evidence: where its heads are kept, and how exported evidence is asked."""
