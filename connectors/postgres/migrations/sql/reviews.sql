-- The review queue: one row a question, never removed. A pair has at most one open question of a kind.
-- `decision_version` is the newest version that the question is about; `proposal` waits for a second person.
create table ops.review_queue (
  entry_id uuid primary key,
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  kind text not null check (kind in ('review', 'appeal', 'drift', 'override')),
  decision_id uuid not null,
  decision_version bigint not null,
  reasons text[] not null,
  value numeric,
  unit text not null,
  deadline date,
  owner text,
  opened_by text not null,
  opened_at timestamptz not null,
  warn_at timestamptz not null,
  due_at timestamptz not null,
  assignee text,
  warned_at timestamptz,
  breached_at timestamptz,
  proposal jsonb,
  status text not null default 'open' check (status in ('open', 'answered', 'withdrawn')),
  verdict text,
  closed_by text,
  closed_at timestamptz,
  close_reason text not null default ''
);
create unique index review_queue_open on ops.review_queue (tenant, pack, left_id, right_id, kind)
  where status = 'open';
create index review_queue_by_due on ops.review_queue (tenant, status, due_at);
create index review_queue_of_pair on ops.review_queue (tenant, pack, left_id, right_id, opened_at);

-- Every command of a person and what became of it: one that comes again does nothing.
create table ops.review_commands (
  tenant text not null,
  command_id text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  verdict text not null,
  actor text not null,
  code text not null,
  message text not null,
  at timestamptz not null,
  primary key (tenant, command_id)
);
create index review_commands_of_pair on ops.review_commands (tenant, pack, left_id, right_id, at);
