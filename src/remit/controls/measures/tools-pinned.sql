-- SPDX-License-Identifier: Apache-2.0
-- tools that were called | had a pinned description before
SELECT min(d.index) AS index, tool AS name, coalesce(any_value(p.index) < min(d.index), false) AS holds
FROM decision_made d
LEFT JOIN (SELECT tool, min(index) AS index FROM (SELECT tool, index FROM tool_pinned UNION ALL
           SELECT tool, index FROM tool_accepted) GROUP BY tool) p USING (tool)
WHERE tool NOT LIKE 'remit/%' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP GROUP BY tool
