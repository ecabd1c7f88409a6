# SPDX-License-Identifier: Apache-2.0
"""Simulated products that an agent works on through tools.

Each folder is one world: `world.py` has its tools and state, `samples.py` one call or more of each tool,
`schemas.json` what a client of the product sees.
"""
