-- SPDX-License-Identifier: Apache-2.0
-- delegated tasks | hold no tool that the task above does not hold
SELECT c.index, c.task_type AS name, coalesce(list_has_all(p.tools, c.tools), false) AS holds
FROM task_opened c LEFT JOIN task_opened p ON p.task = c.parent
WHERE coalesce(c.parent, '') <> '' AND c.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
