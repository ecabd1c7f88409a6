-- SPDX-License-Identifier: Apache-2.0
-- What did agents change, where, and for which person?
-- agent: the agent; every agent if it is left out
-- person: only what was done for this person
-- since: only from this time on
SELECT time, agent, person, task_type, tool, effect, audience, outcome, target, carried_class, rule_names AS rules,
       approval, decision_index, action_index
FROM actions
WHERE ($agent IS NULL OR agent = $agent) AND ($person IS NULL OR person = $person)
  AND ($since IS NULL OR time >= $since::TIMESTAMP)
ORDER BY time, action_index
