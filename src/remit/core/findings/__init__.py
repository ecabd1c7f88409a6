# SPDX-License-Identifier: Apache-2.0
"""Findings: observations that lack an explanation.

A finding names its subject, its severity and its resolution. It removes no authority.
"""
