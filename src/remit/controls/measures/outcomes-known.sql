-- SPDX-License-Identifier: Apache-2.0
-- effectful calls | have a known outcome
SELECT index, tool AS name,
       call IN (SELECT call FROM tool_called WHERE outcome <> 'unknown') AS holds
FROM decision_made WHERE coalesce(effect, '') <> 'none' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
