-- What every worker needs: events in transactions, records to compute again, moments to come.
create table ops.outbox (
  id bigint generated always as identity primary key,
  worker text not null,
  topic text not null,
  key bytea not null,
  value bytea,
  headers jsonb not null default '{}',
  state boolean not null,
  created_at timestamptz not null default clock_timestamp()
);
create unique index outbox_state on ops.outbox (topic, key) where state;
create index outbox_key on ops.outbox (topic, key);

create table ops.dirty (
  worker text not null,
  tenant text not null,
  kind text not null,
  id text not null,
  reason text not null default '',
  marked_at timestamptz not null default clock_timestamp(),
  primary key (worker, tenant, kind, id)
);

create table ops.timers (
  tenant text not null,
  timer_id text not null,
  pack text not null,
  kind text not null,
  subject jsonb not null,
  due_at timestamptz not null,
  primary key (tenant, timer_id)
);
create index timers_due on ops.timers (due_at);

-- Which dead letters were put back; the letters themselves stay in their topics.
create table ops.dead_letter_replays (
  worker text not null,
  partition int not null,
  "offset" bigint not null,
  replayed_at timestamptz not null,
  actor text not null,
  primary key (worker, partition, "offset")
);
