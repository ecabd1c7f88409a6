-- SPDX-License-Identifier: Apache-2.0
-- approvals | were given by a person other than the requester
-- The names are sealed: without them the answer is unknown.
SELECT d.index, d.tool AS name,
       CASE WHEN d.done_by IS NULL OR t.requested_by IS NULL THEN NULL
            ELSE d.done_by NOT IN (t.requested_by, coalesce(t.on_behalf_of, '')) END AS holds
FROM approval_decided d LEFT JOIN task_opened t USING (task)
WHERE d.state = 'approved' AND d.time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
