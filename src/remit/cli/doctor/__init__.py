# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: what is checked, and how each check reports."""
