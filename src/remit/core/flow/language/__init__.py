# SPDX-License-Identifier: Apache-2.0
"""The person's words, read strictly: clauses, verbs, amounts, dates and quotations.

A reading in this package determines what the words state and for which purpose. It uses no tool result and no
label.
"""
