-- The audit log: append-only, hash chained per tenant. `body` holds the canonical bytes that are hashed; every other column is a copy of
-- what stands in it. leaf_hash = SHA-256(0x00 || body) (RFC 6962), chain_hash = SHA-256(chain_hash before || leaf_hash).
create table ops.audit_log (
  tenant text not null,
  seq bigint not null,
  event_id uuid not null,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject text not null,
  body bytea not null,
  leaf_hash bytea not null,
  chain_hash bytea not null,
  primary key (tenant, seq),
  unique (tenant, event_id)
);
create index audit_log_of_subject on ops.audit_log (tenant, subject, seq);
create index audit_log_at on ops.audit_log (tenant, at);
alter table ops.audit_log alter column body set storage external;
alter table ops.audit_log set (toast_tuple_target = 8160);

-- The end of each tenant's chain, locked once a batch. `frontier` holds the roots of the complete subtrees, largest first, 32 bytes each.
create table ops.audit_head (
  tenant text primary key,
  size bigint not null default 0,
  chain_hash bytea not null,
  frontier bytea not null default '',
  updated_at timestamptz not null default clock_timestamp()
);

-- Roots of complete subtrees of 2^8, 2^16 ... records: a proof reads a few hundred hashes, whatever the size.
create table ops.audit_nodes (
  tenant text not null,
  level smallint not null,
  index bigint not null,
  hash bytea not null,
  primary key (tenant, level, index)
);

create table ops.audit_checkpoints (
  tenant text not null,
  size bigint not null,
  root bytea not null,
  chain_hash bytea not null,
  note text not null,
  made_at timestamptz not null default clock_timestamp(),
  primary key (tenant, size)
);

create function ops.refuse_audit_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only: % of % is refused', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_append_only before update or delete or truncate on ops.audit_log
  for each statement execute function ops.refuse_audit_change();
create trigger audit_nodes_append_only before update or delete or truncate on ops.audit_nodes
  for each statement execute function ops.refuse_audit_change();
create trigger audit_checkpoints_append_only before update or delete or truncate on ops.audit_checkpoints
  for each statement execute function ops.refuse_audit_change();
revoke update, delete, truncate on ops.audit_log, ops.audit_nodes, ops.audit_checkpoints from public;
