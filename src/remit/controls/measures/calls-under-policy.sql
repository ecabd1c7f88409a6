-- SPDX-License-Identifier: Apache-2.0
-- decisions | name a policy version whose coming into force is in the log before them
SELECT d.index, tool AS name, coalesce(b.index < d.index, false) AS holds
FROM decision_made d LEFT JOIN (SELECT bundle, min(index) AS index FROM bundle_applied GROUP BY bundle) b USING (bundle)
WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
