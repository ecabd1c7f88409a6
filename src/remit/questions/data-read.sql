-- SPDX-License-Identifier: Apache-2.0
-- Which data did an agent read, for which person, and by which rule?
-- agent: the agent; every agent if it is left out
-- person: only what was read for this person
-- since: only from this time on
SELECT time, agent, person, task_type, tool, data_class, categories, trust, record, rule_names AS rules,
       decision_index, read_index
FROM reads
WHERE ($agent IS NULL OR agent = $agent) AND ($person IS NULL OR person = $person)
  AND ($since IS NULL OR time >= $since::TIMESTAMP)
ORDER BY time, read_index
