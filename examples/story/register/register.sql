-- SPDX-License-Identifier: Apache-2.0
-- The register of changes: who asked for which change, and until when. A task sees the row of its own change.
create table changes (
  id text primary key,
  title text not null,
  asked_by text not null,
  due date not null
);
alter table changes enable row level security;
insert into changes values
  ('CH-7', 'Two per cent a week for delay, in every supply contract', 'lena', '2026-12-18'),
  ('CH-8', 'Price of the merger, to be kept from everybody', 'the board', '2027-01-31');
