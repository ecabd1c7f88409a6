-- SPDX-License-Identifier: Apache-2.0
-- calls that carry code | carried none that came from untrusted data
SELECT index, tool AS name, facts->>'$.flow.code' <> 'untrusted' AS holds
FROM decision_made WHERE coalesce(facts->>'$.flow.code', 'none') <> 'none' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
