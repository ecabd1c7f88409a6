-- SPDX-License-Identifier: Apache-2.0
-- decisions | name a policy version whose coming into force is in the log
SELECT index, tool AS name, coalesce(bundle IN (SELECT bundle FROM bundle_applied), false) AS holds
FROM decision_made WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
