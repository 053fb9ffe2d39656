-- Rule versions: each accepted effective rule document, and which one judges. Stored as canonical text: the hash is over its bytes.
create table ops.config_versions (
  tenant text not null,
  pack text not null,
  version int not null,
  hash text not null,
  body text not null,
  origins jsonb not null,
  author text not null,
  note text not null default '',
  restores int,
  accepted_at timestamptz not null default clock_timestamp(),
  primary key (tenant, pack, version)
);

-- One row a tenant and pack: activations take its lock, decisions read it in the statement after their own lock.
create table ops.config_active (
  tenant text not null,
  pack text not null,
  version int not null,
  hash text not null,
  activated_at timestamptz not null default clock_timestamp(),
  activated_by text not null,
  primary key (tenant, pack),
  foreign key (tenant, pack, version) references ops.config_versions
);
