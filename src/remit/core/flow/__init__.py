# SPDX-License-Identifier: Apache-2.0
"""Information flow: where the values of a call come from, and what the person stated.

Untrusted values are found by the lenient reading, stated values by the strict one; a call is judged by both.
Rules about the result are policies, and not here.
"""
