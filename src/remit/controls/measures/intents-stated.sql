-- SPDX-License-Identifier: Apache-2.0
-- tasks | act for a person whose intent is recorded
-- The intent is sealed: without it the answer is unknown.
SELECT index, task_type AS name,
       CASE WHEN goal IS NULL THEN NULL ELSE coalesce(on_behalf_of, '') <> '' END AS holds
FROM task_opened WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
