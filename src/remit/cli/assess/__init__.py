# SPDX-License-Identifier: Apache-2.0
"""`remit assess`: the initiatives of a programme, measured on the evidence or read from configurations."""
