# SPDX-License-Identifier: Apache-2.0
"""The nine steps of a call, one module each, in the order of `core.decisions.mediation`.

A step takes what the one before returned. What the steps of one call share, and what is given back at the end
of the call, is in `call_state`. Which of them a call takes, and in whose form, is said in `..call_steps`.
"""
