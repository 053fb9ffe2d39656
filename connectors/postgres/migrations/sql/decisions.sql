-- Decisions: one row a version and pair, never changed; and one head a pair, under whose lock they are made.
create table ops.decisions (
  decision_id uuid primary key,
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  version bigint not null,
  match_id text not null,
  outcome text not null,
  state text not null,
  provisional boolean not null,
  confidence numeric(5, 4) not null,
  confidence_method text not null,
  summary text not null,
  rules jsonb not null,
  facts json not null,
  accounts jsonb not null,
  if_passed jsonb not null,
  rule_set text not null,
  rule_set_version text not null,
  config_hash text not null,
  model_version text not null,
  matcher_version text not null,
  as_of date not null,
  fingerprint text not null,
  trigger jsonb not null,
  correlation_id text not null,
  supersedes uuid,
  source_committed_at timestamptz,
  decided_at timestamptz not null,
  processing_ms int not null,
  unique (tenant, pack, left_id, right_id, version)
);
create index decisions_by_outcome on ops.decisions (tenant, pack, outcome, decided_at desc);
create index decisions_by_time on ops.decisions (tenant, pack, decided_at desc, decision_id);
create index decisions_of_right on ops.decisions (tenant, pack, right_id);

-- `version` and `fingerprint` are those of the newest decision; version 0 means that the pair was judged and none was due.
-- `months`, `accounts` and `competitors` (side/id) are what the judgement read, so that their changes find the pair.
-- `settled` names who or what acted on the decision: from then on a change is drift, not a new decision (WF-8).
create table ops.decision_heads (
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  version bigint not null default 0,
  decision_id uuid,
  fingerprint text not null default '',
  outcome text not null default '',
  state text not null default '',
  as_of date,
  rule_set_version text not null default '',
  provisional boolean not null default false,
  months date[] not null default '{}',
  accounts text[] not null default '{}',
  competitors text[] not null default '{}',
  settled text,
  next_look timestamptz,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (tenant, pack, left_id, right_id)
);
create index decision_heads_of_right on ops.decision_heads (tenant, pack, right_id);
create index decision_heads_by_state on ops.decision_heads (tenant, pack, state);
create index decision_heads_competitors on ops.decision_heads using gin (competitors);
create index decision_heads_accounts on ops.decision_heads using gin (accounts);
create index decision_heads_months on ops.decision_heads using gin (months);

-- A settled decision that today's facts would not give: a row a decision and finding (WF-8).
create table ops.decision_drifts (
  decision_id uuid not null references ops.decisions,
  fingerprint text not null,
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  settled text not null,
  outcome text not null,
  summary text not null,
  rules jsonb not null,
  facts jsonb not null,
  found_at timestamptz not null,
  primary key (decision_id, fingerprint)
);
create index decision_drifts_of_pair on ops.decision_drifts (tenant, pack, left_id, right_id);

create view ops.latest_decisions as
select d.*, h.settled, h.next_look
  from ops.decision_heads h
  join ops.decisions d on d.decision_id = h.decision_id;

-- The accounts that open records name, by which rivals meet.
create index records_of_accounts on core.records using gin ((fields -> 'account_ids'))
  where not deleted;
