# SPDX-License-Identifier: Apache-2.0
"""The guard of coding assistants: their sessions are tasks, and their built-in tools are decided like any.

A client's hooks report what it is about to do and what came of it. The client carries out what is permitted.
"""
