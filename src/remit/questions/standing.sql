-- SPDX-License-Identifier: Apache-2.0
-- How many hours did permissions stand, and how many of them were used?
-- since: only tasks from this time on
SELECT agent, task_type, count(DISTINCT task) AS tasks, count(*) AS permissions,
       count(*) FILTER (used > 0) AS used,
       round(sum(date_diff('second', granted, coalesce(ended, (SELECT max(time) FROM events)))) / 3600.0, 3) AS permission_hours
FROM grants
WHERE ($since IS NULL OR granted >= $since::TIMESTAMP)
GROUP BY ALL ORDER BY permission_hours DESC, agent
