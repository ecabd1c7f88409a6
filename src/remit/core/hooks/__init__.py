# SPDX-License-Identifier: Apache-2.0
"""Hooks of coding assistants: what a client reports of a session, and how an answer to it is written."""
