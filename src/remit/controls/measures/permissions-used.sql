-- SPDX-License-Identifier: Apache-2.0
-- permissions of ended tasks | were used
SELECT g.index, g.agent || ' ' || g.tool AS name, used.task IS NOT NULL AS holds
FROM (SELECT o.index, o.task, o.agent, unnest(o.tools) AS tool FROM task_opened o JOIN task_ended e USING (task)
      WHERE e.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP) g
LEFT JOIN (SELECT DISTINCT task, tool FROM decision_made WHERE outcome = 'permit') used
  ON used.task = g.task AND used.tool = g.tool
