-- SPDX-License-Identifier: Apache-2.0
-- effectful calls | had a sender-constrained identity
SELECT index, tool AS name, coalesce(sender IN ('dpop', 'mtls'), false) AS holds
FROM decision_made WHERE coalesce(effect, '') <> 'none' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
