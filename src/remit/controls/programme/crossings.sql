-- SPDX-License-Identifier: Apache-2.0
-- The first call above the tier `conversation` that these agents could make, and the highest tier of all.
SELECT first.index, first.time::VARCHAR AS at, first.agent, first.tool, coalesce(first.effect, '') AS effect,
       coalesce(first.observed, false) AS observed, top.tier, top.index AS tier_index
FROM (SELECT tier, min(index) AS index FROM decision_made
      WHERE (outcome = 'permit' OR observed) AND tool NOT LIKE 'remit/%'
        AND list_contains(from_json($agents, '["VARCHAR"]'), agent)
      GROUP BY tier ORDER BY list_position(['conversation', 'assistant', 'operator', 'autonomous'], tier) DESC LIMIT 1) top
LEFT JOIN (SELECT * FROM decision_made
           WHERE (outcome = 'permit' OR observed) AND tier <> 'conversation' AND tool NOT LIKE 'remit/%'
             AND list_contains(from_json($agents, '["VARCHAR"]'), agent) ORDER BY index LIMIT 1) first ON true
