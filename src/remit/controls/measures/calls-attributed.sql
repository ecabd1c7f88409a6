-- SPDX-License-Identifier: Apache-2.0
-- calls | lead to a registered agent and an opened task in the same log
SELECT index, tool AS name,
       agent IN (SELECT agent FROM agent_registered) AND task IN (SELECT task FROM task_opened) AS holds
FROM decision_made WHERE (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
