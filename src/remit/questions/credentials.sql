-- SPDX-License-Identifier: Apache-2.0
-- Which credentials were obtained for tasks, and how long did each live?
-- agent: the agent; every agent if it is left out
-- since: only from this time on
SELECT issued, agent, task, upstream, kind, sink, revoked, dead, left_open,
       date_diff('millisecond', issued, coalesce(dead, revoked, closed)) / 1000.0 AS lived_s, issued_index, dead_index
FROM leases
WHERE ($agent IS NULL OR agent = $agent) AND ($since IS NULL OR issued >= $since::TIMESTAMP)
ORDER BY issued, issued_index
