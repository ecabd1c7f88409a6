-- SPDX-License-Identifier: Apache-2.0
-- changes of tools by their upstream | were reviewed and accepted
SELECT c.index, c.tool AS name, coalesce(a.index > c.index, false) AS holds
FROM tool_changed c LEFT JOIN (SELECT tool, max(index) AS index FROM tool_accepted GROUP BY tool) a USING (tool)
WHERE c.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
