# SPDX-License-Identifier: Apache-2.0
"""Discovery: scans of places where agents leave traces, and the way from a finding to a governed grant.

What a file holds is read by `core.discovery`; the life of a finding is in `findings`.
"""
