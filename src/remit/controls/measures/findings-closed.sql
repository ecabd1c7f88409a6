-- SPDX-License-Identifier: Apache-2.0
-- findings that concern it | are resolved, accepted for a time, or false
-- kinds: the kinds of findings, separated by commas
SELECT changed_index AS index, kind || ' ' || about AS name, state <> 'open' AS holds
FROM findings
WHERE list_contains(string_split($kinds, ','), kind)
  AND (state = 'open' OR changed BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP)
