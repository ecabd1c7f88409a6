# SPDX-License-Identifier: Apache-2.0
"""The native reader: plain texts of results, and the tables in which a task remembers them."""
