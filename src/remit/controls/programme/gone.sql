-- SPDX-License-Identifier: Apache-2.0
-- How long ends took to be complete, each: the fence, each replica, each derived permission. One without a time is null.
SELECT c.index,
       CASE WHEN c.fence_us IS NULL OR coalesce(len(c.indeterminate), 0) > 0
              OR len(list_filter(times.of, lambda one: one IS NULL OR one < 0)) > 0 THEN NULL
            ELSE list_max(list_append(times.of, c.fence_us)) END AS us
FROM closure_made c
CROSS JOIN LATERAL (SELECT list_transform(
    list_concat(coalesce(json_extract_string(c.closings, '$[*][2]'), []),
                coalesce(json_extract_string(c.acknowledged, '$[*][1]'), [])),
    lambda one: try_cast(one AS BIGINT)) AS of) times
LEFT JOIN task_opened t ON c.scope = 'task:' || t.task
CROSS JOIN LATERAL (SELECT CASE WHEN starts_with(c.scope, 'agent:') THEN c.scope[7:] ELSE t.agent END AS agent) whose
-- An end of a wider scope (a person, an owner, a tool, everything) counts for each initiative if tasks were open.
WHERE CASE WHEN whose.agent IS NULL THEN coalesce(c.tasks, 1) > 0
           ELSE list_contains(from_json($agents, '["VARCHAR"]'), whose.agent) END
  AND c.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
ORDER BY us NULLS LAST, index
