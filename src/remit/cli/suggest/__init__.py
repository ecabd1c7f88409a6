# SPDX-License-Identifier: Apache-2.0
"""`remit suggest`: from what was observed to rules that can be enforced."""
