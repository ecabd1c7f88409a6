# SPDX-License-Identifier: Apache-2.0
"""Identity, task and just enough authority for every AI agent, decided at request time."""

__version__ = "0.1.0"
