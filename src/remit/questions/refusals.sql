-- SPDX-License-Identifier: Apache-2.0
-- What was refused, how often, and why?
-- agent: the agent; every agent if it is left out
-- since: only from this time on
SELECT agent, tool, decision, list_transform(from_json(reasons, '[{"code": "VARCHAR"}]'), lambda one: one.code) AS codes,
       count(*) AS calls, min(time) AS first, max(time) AS last, min(decision_index) AS first_index
FROM calls
WHERE decision != 'permit' AND ($agent IS NULL OR agent = $agent) AND ($since IS NULL OR time >= $since::TIMESTAMP)
GROUP BY ALL ORDER BY calls DESC, agent, tool
