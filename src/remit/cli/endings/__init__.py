# SPDX-License-Identifier: Apache-2.0
"""`remit end`, `remit lock` and `remit unlock`."""
