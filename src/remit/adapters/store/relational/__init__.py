# SPDX-License-Identifier: Apache-2.0
"""What stores on relational databases have in common: tables, statements, the log, group commit."""
