# SPDX-License-Identifier: Apache-2.0
"""Readers of files: each turns one form into pieces of text and declarations."""
