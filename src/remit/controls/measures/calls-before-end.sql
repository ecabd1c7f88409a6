-- SPDX-License-Identifier: Apache-2.0
-- calls of ended tasks | were permitted before the end and none after
SELECT d.index, d.tool AS name, d.index < e.index AS holds
FROM decision_made d JOIN task_ended e USING (task)
WHERE d.outcome = 'permit' AND d.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
