-- SPDX-License-Identifier: Apache-2.0
-- external calls | carried no data above `internal`, or a person approved them
SELECT index, tool AS name,
       coalesce(data_class IN ('public', 'internal'), false) OR coalesce(approval, '') <> '' AS holds
FROM decision_made WHERE audience = 'external' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
