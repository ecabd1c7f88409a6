# SPDX-License-Identifier: Apache-2.0
"""Commands about agents, people, keys and sign-in."""
