# SPDX-License-Identifier: Apache-2.0
"""Transcripts that coding assistants keep, read as turns: words, calls and results.

A transcript is untrusted text: the assistant, or anything that it ran, may have written any line of it.
Nothing in it is executed, opened or believed beyond what the reader of its client states. It is not about
what the calls do (`core.coding`), and not about files.
"""
