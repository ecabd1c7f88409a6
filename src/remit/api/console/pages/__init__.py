# SPDX-License-Identifier: Apache-2.0
"""The pages of the console, one module for each kind of thing."""
