-- How each source is captured, how far that is, and whether all of it has arrived.
-- `epoch` rises with every snapshot. `phase`: snapshot (rows are still being read), catching_up (they are
-- on their topics), complete (they are in raw, and what the source has no more is deleted).
create table ops.capture_sources (
  tenant text not null,
  source text not null,
  mode text not null check (mode in ('debezium', 'poll')),
  tables text[] not null,
  epoch int not null default 1 check (epoch >= 1),
  epoch_reason text not null,
  epoch_since timestamptz not null default clock_timestamp(),
  phase text not null default 'snapshot' check (phase in ('snapshot', 'catching_up', 'complete')),
  -- which cluster and timeline: another one means a restored or failed-over source
  identity text not null default '',
  -- what keeps the source from being captured, in words; empty when nothing does
  problem text not null default '',
  problem_since timestamptz,
  snapshot_started_at timestamptz,
  -- the poller: its counter, and the transaction id from which it reads on (null: everything)
  poll bigint not null default 0,
  poll_from bigint,
  polled_at timestamptz,
  reconciled_at timestamptz,
  primary key (tenant, source)
);

-- Row versions that the poller has sent and will meet again: written by transactions not below poll_from.
create table ops.capture_window (
  tenant text not null,
  source text not null,
  table_name text not null,
  pk text not null,
  xid bigint not null,
  primary key (tenant, source, table_name, pk),
  foreign key (tenant, source) references ops.capture_sources on delete cascade
);

-- Up to where raw must have come until a snapshot counts as arrived.
create table ops.capture_targets (
  tenant text not null,
  source text not null,
  topic text not null,
  partition int not null,
  target bigint not null,
  primary key (tenant, source, topic, partition),
  foreign key (tenant, source) references ops.capture_sources on delete cascade
);

-- Absence is a fact only where a source is complete (design.md section 3, guarantee 7).
create table ops.completeness (
  tenant text not null,
  source text not null,
  complete boolean not null,
  since timestamptz not null default clock_timestamp(),
  detail text not null default '',
  primary key (tenant, source)
);
