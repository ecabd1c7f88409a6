# SPDX-License-Identifier: Apache-2.0
"""The three questions: who is it, what may it do now, and how far has an end come.

This package reads and changes nothing.
"""
