# SPDX-License-Identifier: Apache-2.0
"""Circumstances of calls: what policies read that neither the agent nor its arguments determine.

A circumstance decides nothing by itself; policies say what it means.
"""
