-- SPDX-License-Identifier: Apache-2.0
-- tools that were called | have a pinned description
SELECT min(index) AS index, tool AS name,
       tool IN (SELECT tool FROM tool_pinned UNION ALL SELECT tool FROM tool_accepted) AS holds
FROM decision_made WHERE tool NOT LIKE 'remit/%' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP GROUP BY tool
