# SPDX-License-Identifier: Apache-2.0
"""The authorization server (RFC 6749 and its extensions): tokens for agents, and its metadata."""
