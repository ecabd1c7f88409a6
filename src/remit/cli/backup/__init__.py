# SPDX-License-Identifier: Apache-2.0
"""`remit backup` and `remit restore`: copies of store and log head together, on remit's own machine."""
