# SPDX-License-Identifier: Apache-2.0
"""Words as data: what people ask, choose and describe with, in the languages that are read."""
