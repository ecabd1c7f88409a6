-- SPDX-License-Identifier: Apache-2.0
-- What was ended, how fast was everything gone, and what stayed open?
-- since: only from this time on
SELECT time, scope, cause, done_by, tasks, fence_us / 1000.0 AS fence_ms,
       list_max(list_transform(from_json(closings, '[["VARCHAR"]]'), lambda one: one[3]::BIGINT)) / 1000.0 AS last_gone_ms,
       len(list_filter(from_json(closings, '[["VARCHAR"]]'), lambda one: one[3] = '-1')) AS still_open,
       len(indeterminate) AS unknown_calls, closure_index
FROM ends
WHERE ($since IS NULL OR time >= $since::TIMESTAMP)
ORDER BY time, closure_index
