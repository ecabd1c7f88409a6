-- SPDX-License-Identifier: Apache-2.0
-- For each day: the hours that tools of tasks stood, from the opening to the end, or to the end of the log.
WITH days AS (
  SELECT unnest(generate_series(date_trunc('day', $since::TIMESTAMP), $until::TIMESTAMP, INTERVAL 1 DAY)) AS day
), parts AS (
  SELECT day, greatest(day, $since::TIMESTAMP) AS first, least(day + INTERVAL 1 DAY, $until::TIMESTAMP) AS last FROM days
), stood AS (
  SELECT opened_index, ended_index, len(tools) AS tools, opened, coalesce(ended, $until::TIMESTAMP) AS ended
  FROM tasks WHERE len(tools) > 0 AND list_contains(from_json($agents, '["VARCHAR"]'), agent)
)
SELECT strftime(p.day, '%Y-%m-%d') AS day,
       coalesce(sum(s.tools::HUGEINT * greatest(0, epoch_us(least(s.ended, p.last)) - epoch_us(greatest(s.opened, p.first)))), 0)::VARCHAR AS tool_us,
       min(s.opened_index) AS first_index, max(coalesce(s.ended_index, s.opened_index)) AS last_index
FROM parts p LEFT JOIN stood s ON s.opened < p.last AND s.ended > p.first
GROUP BY p.day ORDER BY p.day
