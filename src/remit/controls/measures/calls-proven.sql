-- SPDX-License-Identifier: Apache-2.0
-- calls | came from an agent that proved its identity with a key or by attestation
SELECT index, tool AS name, coalesce(assurance IN ('key-bound', 'attested'), false) AS holds
FROM decision_made WHERE (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
