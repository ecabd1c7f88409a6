# SPDX-License-Identifier: Apache-2.0
"""Information flow: where the values of a call come from, and what the person stated.

The lenient reading finds untrusted values, the strict reading finds stated values; a call is judged by both.
Rules about the result are policies and lie outside this package.
"""
