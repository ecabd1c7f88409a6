# SPDX-License-Identifier: Apache-2.0
"""Labelled texts with made-up secrets: see README.md."""
