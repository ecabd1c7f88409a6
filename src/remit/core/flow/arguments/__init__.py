# SPDX-License-Identifier: Apache-2.0
"""The arguments of a call, as flow reads them: their values and parts, in their form in this call."""
