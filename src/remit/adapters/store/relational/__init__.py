# SPDX-License-Identifier: Apache-2.0
"""What stores on relational databases share: tables, statements, the log, group commit."""
