-- SPDX-License-Identifier: Apache-2.0
-- Who changed policies, tools, people and agents?
-- since: only from this time on
SELECT time, kind, json_extract(leaf, '$.facts') AS facts, json_extract_string(openings, '$.by[1]') AS done_by,
       index AS event_index
FROM events
WHERE kind IN ('bundle.applied', 'bundle.proposed', 'tool.accepted', 'upstream.mode', 'person.added', 'person.changed',
               'agent.registered', 'agent.changed', 'fence.locked', 'fence.unlocked', 'key.rotated', 'subject.forgotten',
               'log.pruned')
  AND ($since IS NULL OR time >= $since::TIMESTAMP)
ORDER BY index
