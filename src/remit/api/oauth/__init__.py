# SPDX-License-Identifier: Apache-2.0
"""The authorization server (RFC 6749 and what grew around it): tokens for agents, and what tells of them."""
