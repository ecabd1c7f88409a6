-- SPDX-License-Identifier: Apache-2.0
-- calls that were carried out | have their decision in the log before them
SELECT c.index, c.tool AS name, coalesce(d.index < c.index, false) AS holds
FROM tool_called c LEFT JOIN decision_made d USING (call) WHERE c.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
