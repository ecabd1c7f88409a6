-- SPDX-License-Identifier: Apache-2.0
-- Who answered which questions, and after how long?
-- person: only answers of this person
-- since: only from this time on
SELECT asked, agent, tool, state, decided_by, waited_s, approval, asked_index, decided_index
FROM approvals
WHERE ($person IS NULL OR decided_by = $person) AND ($since IS NULL OR asked >= $since::TIMESTAMP)
ORDER BY asked, asked_index
