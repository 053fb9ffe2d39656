-- What is to be told to others: one row a notice and target, written in the transaction that hears of it.
-- `notice` is the exact text that was heard, so that every attempt says the same.
create table ops.deliveries (
  delivery_id uuid primary key,
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  decision_id text not null,
  channel text not null check (channel in ('webhook', 'mail', 'draft')),
  target text not null,
  type text not null,
  notice text not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
  attempts int not null default 0,
  last_error text not null default '',
  created_at timestamptz not null,
  next_at timestamptz,
  done_at timestamptz
);
create index deliveries_by_status on ops.deliveries (tenant, status, created_at desc);
create index deliveries_of_pair on ops.deliveries (tenant, pack, left_id, right_id);

-- Targets that want no more: a webhook that answered 410 is not called again until somebody says so.
create table ops.disabled_targets (
  tenant text not null,
  target text not null,
  reason text not null,
  disabled_at timestamptz not null,
  primary key (tenant, target)
);
