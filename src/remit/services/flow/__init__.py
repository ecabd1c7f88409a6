# SPDX-License-Identifier: Apache-2.0
"""Step 8 and labels: what a call brought, what is stored where, and declassification.

The rules by which values are traced are in `core.flow`.
"""
