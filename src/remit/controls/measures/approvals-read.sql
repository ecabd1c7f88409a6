-- SPDX-License-Identifier: Apache-2.0
-- answers of approvers | came at least two seconds after the question
SELECT decided_index AS index, tool AS name, coalesce(waited_s >= 2, false) AS holds
FROM approvals
WHERE state IN ('approved', 'denied', 'narrowed') AND decided BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
