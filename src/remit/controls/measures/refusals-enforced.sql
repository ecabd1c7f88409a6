-- SPDX-License-Identifier: Apache-2.0
-- refused or deferred calls | did not go through
SELECT index, tool AS name, observed IS NOT TRUE AS holds
FROM decision_made WHERE outcome <> 'permit' AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
