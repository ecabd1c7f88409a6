-- SPDX-License-Identifier: Apache-2.0
-- Which permitted calls have no known outcome?
SELECT time, agent, person, tool, effect, call, outcome, decision_index
FROM calls
WHERE (decision = 'permit' OR observed) AND (outcome IS NULL OR outcome = 'unknown')
ORDER BY time, decision_index
