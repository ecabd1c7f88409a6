# SPDX-License-Identifier: Apache-2.0
"""Judges of declared servers, agents and tools: what is ungoverned, unpinned, taken for another, or poisoned.

They judge text alone: no server is started or asked.
"""
