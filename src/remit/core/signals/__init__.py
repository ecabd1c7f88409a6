# SPDX-License-Identifier: Apache-2.0
"""Shared Signals (SSF, CAEP, RISC): security event tokens received and sent.

`services.signals.receiver` decides which authority a signal removes.
"""
