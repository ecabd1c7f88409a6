# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: the checks, and how each one reports."""
