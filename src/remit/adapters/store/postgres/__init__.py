# SPDX-License-Identifier: Apache-2.0
"""The store on PostgreSQL: `PostgresStore.open`."""

from remit.adapters.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
