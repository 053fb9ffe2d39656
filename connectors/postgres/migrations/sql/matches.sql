-- Scored pairs, the keys by which candidates meet, people's verdicts, frozen corpus statistics.
create table core.match_keys (
  tenant text not null,
  pack text not null,
  side text not null,
  kind text not null,
  value text not null,
  id text not null,
  primary key (tenant, pack, side, kind, value, id)
);
create index match_keys_of_record on core.match_keys (tenant, pack, side, id);

-- What each record was last matched with: a version that changes nothing of it is not matched again.
create table core.match_inputs (
  tenant text not null,
  pack text not null,
  side text not null,
  id text not null,
  fingerprint text not null,
  primary key (tenant, pack, side, id)
);

-- `evidence` is what the event carries, `scored` the pair as the matcher scored it. A `live` pair is
-- still a candidate of both records, whatever its status; the others are history.
create table core.matches (
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  match_id text not null,
  version bigint not null,
  status text not null,
  confidence numeric(5, 4) not null,
  confidence_method text not null,
  probability numeric(7, 6) not null,
  rank_score numeric(7, 6) not null,
  ambiguous boolean not null default false,
  provisional boolean not null default false,
  alternative boolean not null default false,
  live boolean not null,
  evidence jsonb not null default '{}',
  scored jsonb,
  state jsonb not null default '{}',
  reason text not null default '',
  model_version text not null default '',
  matcher_version text not null default '',
  decided_by text,
  decided_at timestamptz,
  source_committed_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (tenant, pack, left_id, right_id)
);
create unique index matches_match_id on core.matches (match_id);
create index matches_of_left on core.matches (tenant, pack, left_id) where live;
create index matches_of_right on core.matches (tenant, pack, right_id) where live;
create index matches_by_status on core.matches (tenant, pack, status);
-- One automatic or confirmed pair at most on each side (MATCH-9).
create unique index matches_one_left on core.matches (tenant, pack, left_id)
  where status in ('auto', 'confirmed');
create unique index matches_one_right on core.matches (tenant, pack, right_id)
  where status in ('auto', 'confirmed');

-- What people said, for good: one row a command, the newest of a pair counts.
create table core.match_verdicts (
  tenant text not null,
  pack text not null,
  command_id text not null,
  left_id text not null,
  right_id text not null,
  verdict text not null check (verdict in ('confirm', 'reject', 'undo')),
  actor text not null,
  reason text not null,
  seen_version bigint,
  left_identity text,
  right_identity text,
  given_at timestamptz not null,
  seq bigint generated always as identity,
  primary key (tenant, pack, command_id)
);
create index match_verdicts_of_pair on core.match_verdicts (tenant, pack, left_id, right_id, seq);

-- Frozen corpus statistics: a result must not depend on the order of arrival.
create table core.match_statistics (
  tenant text not null,
  pack text not null,
  version bigint not null,
  records bigint not null,
  body jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant, pack, version)
);
