# SPDX-License-Identifier: Apache-2.0
"""Shared Signals (SSF, CAEP, RISC): security event tokens received and sent.

What a signal takes away is decided in `services.signals.receiver`.
"""
