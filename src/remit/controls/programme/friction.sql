-- SPDX-License-Identifier: Apache-2.0
-- Decided calls, questions to people, the seconds until their answers, and the refusals that people overturned.
WITH mine AS (
  SELECT * FROM events WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
    AND list_contains(from_json($agents, '["VARCHAR"]'), agent)
), asked AS (
  SELECT a.* FROM approvals a JOIN mine ON mine.index = a.asked_index
), answers AS (
  SELECT a.* FROM approvals a JOIN mine ON mine.index = a.decided_index
  WHERE a.state IN ('approved', 'denied', 'narrowed') AND a.asked_index IS NOT NULL
)
SELECT (SELECT count(*) FROM decision_made d JOIN mine USING (index))
         + coalesce((SELECT sum(c.count) FROM decision_counted c JOIN mine USING (index)), 0)::BIGINT AS calls,
       (SELECT count(DISTINCT asked_index) FROM asked) AS questions,
       (SELECT count(*) FROM answers) AS answered,
       coalesce((SELECT sum(waited_s) FROM answers), 0)::DOUBLE AS waited_s,
       (SELECT quantile_disc(waited_s, 0.5) FROM answers)::DOUBLE AS median_s,
       (SELECT count(*) FROM answers WHERE state <> 'denied') AS overturned,
       (SELECT min(asked_index) FROM asked) AS first_index, (SELECT max(decided_index) FROM answers) AS last_index
