-- SPDX-License-Identifier: Apache-2.0
-- calls | lead to a registered agent and an opened task in the same log
SELECT d.index, tool AS name, coalesce(r.index < d.index AND o.index < d.index, false) AS holds
FROM decision_made d
LEFT JOIN (SELECT agent, min(index) AS index FROM agent_registered GROUP BY agent) r USING (agent)
LEFT JOIN (SELECT task, min(index) AS index FROM task_opened GROUP BY task) o USING (task)
WHERE (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
