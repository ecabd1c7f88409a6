# SPDX-License-Identifier: Apache-2.0
"""Invented houses with invented work and invented attacks, to measure the rules of flow on."""
