-- SPDX-License-Identifier: Apache-2.0
-- delegated tasks whose task above has ended | have ended too
SELECT c.index, c.task_type AS name, e.index IS NOT NULL AS holds
FROM task_opened c JOIN task_ended p ON p.task = c.parent LEFT JOIN task_ended e ON e.task = c.task
WHERE p.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
