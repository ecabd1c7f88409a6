-- SPDX-License-Identifier: Apache-2.0
-- upstream credentials of ended tasks | were tried and refused afterwards
SELECT l.issued_index AS index, l.sink AS name, l.dead IS NOT NULL AS holds
FROM leases l JOIN task_ended e USING (task) WHERE e.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
