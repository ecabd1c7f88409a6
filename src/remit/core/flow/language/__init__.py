# SPDX-License-Identifier: Apache-2.0
"""The person's words: clauses, verbs, amounts, dates and quotations, read strictly.

A reading here says what the words state and for what. It knows no tool result and no label.
"""
