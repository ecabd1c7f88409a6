# SPDX-License-Identifier: Apache-2.0
"""AuthZEN Authorization API 1.0: decisions for other enforcement points. These endpoints forward no calls."""
