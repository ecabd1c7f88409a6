# SPDX-License-Identifier: Apache-2.0
"""The grants of the token endpoint, one module for each."""
