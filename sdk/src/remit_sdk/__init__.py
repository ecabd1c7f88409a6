# SPDX-License-Identifier: Apache-2.0
"""The SDK that agents import. It depends on the protocol only, not on remit's services."""

__version__ = "0.1.0"
