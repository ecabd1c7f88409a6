-- SPDX-License-Identifier: Apache-2.0
-- The views that questions use. Their columns are part of the documentation: docs/reference/evidence-tables.md.

-- tasks: each task that was opened, and how it ended.
CREATE VIEW tasks AS
SELECT o.task, o.agent, o.on_behalf_of AS person, o.requested_by, o.task_type, o.tools, o.goal, o.params,
       o.parent, o.time AS opened, e.time AS ended, e.state, e.cause, e.reason, e.done_by AS ended_by,
       o.index AS opened_index, e.index AS ended_index
FROM task_opened o LEFT JOIN task_ended e USING (task);

-- calls: each decided call, with the person of its task, its outcome, and what it read or changed.
CREATE VIEW calls AS
SELECT d.time, d.task, d.agent, t.on_behalf_of AS person, t.task_type, d.call, d.tool, d.outcome AS decision,
       d.observed, c.outcome, d.tier, d.effect, d.audience, d.assurance, d.sender, d.data_class AS carried_class,
       d.rules, list_transform(from_json(d.rules, '[["VARCHAR"]]'), lambda one: one[1]) AS rule_names, d.reasons, d.approval, d.bundle, d.arguments,
       d.stated_reason, c.result_bytes, c.time AS ended,
       d.index AS decision_index, c.index AS outcome_index, t.index AS task_index
FROM decision_made d
LEFT JOIN task_opened t USING (task)
LEFT JOIN tool_called c ON c.call = d.call;

-- reads: each call that gave data, with the class of the data and the rules that permitted it.
CREATE VIEW reads AS
SELECT r.time, r.task, r.agent, c.person, c.task_type, r.call, r.tool, r.data_class, r.categories, r.trust,
       r.record, c.rule_names, c.approval, c.bundle, c.arguments, r.index AS read_index, c.decision_index, c.task_index
FROM data_read r LEFT JOIN calls c USING (call);

-- actions: each call with an effect.
CREATE VIEW actions AS
SELECT a.time, a.task, a.agent, c.person, c.task_type, a.call, a.tool, a.effect, a.audience, a.outcome, a.target,
       c.carried_class, c.rule_names, c.approval, c.arguments, a.index AS action_index, c.decision_index, c.task_index
FROM action_executed a LEFT JOIN calls c USING (call);

-- approvals: each question to people, and how it ended.
CREATE VIEW approvals AS
SELECT q.approval, q.time AS asked, q.task, q.agent, q.tool, d.state, d.time AS decided,
       date_diff('millisecond', q.time, d.time) / 1000.0 AS waited_s, d.done_by AS decided_by,
       q.index AS asked_index, d.index AS decided_index
FROM approval_requested q LEFT JOIN approval_decided d USING (approval);

-- ends: each closure, with how long its fence took and what stayed open.
CREATE VIEW ends AS
SELECT time, scope, cause, tasks, fence_us, indeterminate, closings, acknowledged, done_by, closure, index AS closure_index
FROM closure_made;

-- grants: each task's tools, and how many of its calls used them.
CREATE VIEW grants AS
SELECT o.task, o.agent, o.task_type, g.tool, o.time AS granted, e.time AS ended,
       (SELECT count(*) FROM decision_made d WHERE d.task = o.task AND d.tool = g.tool AND d.outcome = 'permit') AS used,
       o.index AS task_index
FROM task_opened o
CROSS JOIN LATERAL (SELECT unnest(o.tools) AS tool) g
LEFT JOIN task_ended e USING (task);

-- leases: each credential that was obtained for a task, and when it was dead.
CREATE VIEW leases AS
SELECT i.lease, i.task, i.agent, i.upstream, i.kind, i.sink, i.time AS issued, i.until,
       r.time AS revoked, d.time AS dead, o.time AS left_open, c.time AS closed,
       i.index AS issued_index, r.index AS revoked_index, d.index AS dead_index
FROM lease_issued i
LEFT JOIN lease_revoked r USING (lease)
LEFT JOIN lease_dead d USING (lease)
LEFT JOIN (SELECT lease, min(time) AS time FROM lease_open GROUP BY lease) o USING (lease)
LEFT JOIN lease_closed c USING (lease);

-- agents: each agent as it is at the end of the log: its owner, its state, and its last access review.
CREATE VIEW agents AS
SELECT r.agent, coalesce(o.owner, r.owner) AS owner, r.purpose, r.environment, r.initiative, r.time AS registered,
       coalesce(s.state, 'registered') AS state, v.time AS reviewed,
       r.index AS registered_index, o.index AS owner_index, s.index AS state_index, v.index AS reviewed_index
FROM (SELECT * FROM agent_registered QUALIFY row_number() OVER (PARTITION BY agent ORDER BY index DESC) = 1) r
LEFT JOIN (SELECT agent, max_by(owner, index) AS owner, max(index) AS index FROM agent_changed
           WHERE owner IS NOT NULL GROUP BY agent) o USING (agent)
LEFT JOIN (SELECT agent, max_by(state, index) AS state, max(index) AS index FROM agent_changed
           WHERE state IS NOT NULL GROUP BY agent) s USING (agent)
LEFT JOIN (SELECT agent, max(time) AS time, max(index) AS index FROM agent_reviewed
           WHERE waits IS NOT TRUE GROUP BY agent) v USING (agent);

-- findings: each finding as it is at the end of the log: `open`, `resolved`, `accepted` or `false`.
CREATE VIEW findings AS
SELECT finding, any_value(finding_kind) AS kind, any_value(about) AS about, min(time) AS first_seen,
       max(time) AS changed, max_by(state, index) AS state, min(index) AS seen_index, max(index) AS changed_index
FROM (SELECT finding, finding_kind, about, time, index, 'open' AS state FROM finding_seen
      UNION ALL SELECT finding, finding_kind, about, time, index, 'resolved' FROM finding_resolved
      UNION ALL SELECT finding, finding_kind, about, time, index, state FROM finding_answered
      UNION ALL SELECT finding, finding_kind, about, time, index, 'open' FROM finding_reopened)
GROUP BY finding;
