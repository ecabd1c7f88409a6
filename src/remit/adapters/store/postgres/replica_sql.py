# SPDX-License-Identifier: Apache-2.0
"""The statements that replicas send to the database."""

from __future__ import annotations

RENEW = "update replicas set renewed = renewed + 1 where tenant = ? and id = ? and gone = 0 returning renewed"
JOIN = "insert into replicas (tenant, id, renewed, body) values (?, ?, 0, ?)"
RESTATE = "update replicas set body = ? where tenant = ? and id = ? and gone = 0"
OWNER = "select replica from owners where tenant = ? and task = ?"
LEAVE = "delete from replicas where tenant = ? and id = ?"
ALL = "select renewed, body from replicas where tenant = ? and gone = 0"
ALL_BODIES = "select body from replicas where tenant = ? and gone = 0"
TURN = "select turn from turns where tenant = ?"
FENCES = "select scope, epoch, locked, turn from fences where tenant = ? and turn > ? order by turn"
WITHDRAWN = "select id, turn from withdrawn where tenant = ? and turn > ?"
AGENTS = "select name, turn from agents where tenant = ? and turn > ?"
PINS = "select max(turn) from pins where tenant = ? and turn > ?"
ACKS = "select body from fence_acks where tenant = ?"
BUNDLE = "select body from kept_values where tenant = ? and key = 'bundle.applied'"
STORED_LABELS = "select body from holdings where tenant = ? and upstream = ? and turn > ?"
PUT_ACK = (
    "insert into fence_acks (tenant, scope, epoch, replica, body) values (?, ?, ?, ?, ?)"
    " on conflict (tenant, scope, epoch, replica) do update set body = excluded.body"
)
#: Deletes acknowledgements left behind by a replica that died while it ended something.
OLD_ACKS = "delete from fence_acks where tenant = ? and made < now() - interval '1 hour'"
#: Does not wait for the disk: losing an acknowledgement in a server crash costs only waiting out a lease.
UNHURRIED = "select set_config('synchronous_commit', 'off', true)"

#: A process that was stopped inside a transaction blocks the others for as long as the server waits for its
#: next message; inside a pipeline, none of the server's timeouts applies. This statement terminates that
#: session, which rolls its transaction back.
FREE = (
    "select pg_terminate_backend(a.pid) from pg_stat_activity a where a.datname = current_database()"
    " and a.application_name like 'remit writer%' and a.xact_start is not null"
    " and a.wait_event = 'ClientRead'"
    " and a.query_start < clock_timestamp() - interval '200 milliseconds' and exists (select 1 from"
    " pg_stat_activity b where b.wait_event_type = 'Lock' and a.pid = any (pg_blocking_pids(b.pid)))"
)
