-- CORE: normalised records, billing rows and their monthly totals (spec section 5).
create table core.records (
  tenant text not null,
  pack text not null,
  kind text not null,
  side text not null,
  id text not null,
  version bigint not null default 0,
  deleted boolean not null default false,
  is_open boolean not null default false,
  customer text,
  dq_flags text[] not null default '{}',
  dq_version bigint not null default 0,
  source_committed_at timestamptz,
  updated_at timestamptz not null default now(),
  fields jsonb not null default '{}',
  lineage jsonb not null default '{}',
  inputs jsonb not null default '[]',
  primary key (tenant, pack, kind, side, id)
);
comment on column core.records.version is 'counter, raised with every event; 0 only inside the transaction that makes the record';
comment on column core.records.inputs is 'source rows read: [table, key, epoch, position, committed at], a row each';
comment on column core.records.lineage is 'field -> [[place in inputs, column], ...]';

create index records_domain on core.records (tenant, kind, (fields ->> 'normalized_domain'))
  where fields ->> 'normalized_domain' is not null;
create index records_company on core.records (tenant, kind, (fields ->> 'normalized_company'))
  where fields ->> 'normalized_company' is not null;
-- Secondary indexes begin with a column that look-ups by primary key do not name: without statistics the
-- planner holds any two equal columns for unique and might prefer them.
create index records_open on core.records (is_open, tenant, kind, (fields ->> 'expected_close'));
create index records_customer on core.records (customer, tenant, kind) where customer is not null;
create index records_account on core.records (tenant, (fields ->> 'account_id')) where kind = 'account';
create index records_flagged on core.records using gin (dq_flags) where dq_flags <> '{}';

create table core.billing_records (
  tenant text not null,
  pack text not null,
  ledger text not null check (ledger in ('cost', 'invoice_staged', 'invoice_final', 'spp')),
  source_table text not null,
  source_key text not null,
  epoch int not null,
  position bigint not null,
  customer text,
  payer_account_id text,
  account_id text not null default '',
  product_code text,
  product_name text,
  line_type text,
  month date,
  usage_quantity numeric,
  usage_unit text,
  amount numeric,
  currency text not null default '',
  final boolean not null default false,
  deleted boolean not null default false,
  dq_flags text[] not null default '{}',
  committed_at timestamptz,
  primary key (tenant, source_table, source_key)
);
comment on column core.billing_records.account_id is 'empty where the row names no account';
comment on column core.billing_records.amount is 'null where the source''s amount is no number (dq_flags)';

create index billing_by_account on core.billing_records (tenant, account_id, month, product_code);
create index billing_by_customer on core.billing_records (tenant, customer, month)
  where customer is not null;
create index billing_by_month on core.billing_records (source_table, month, tenant) where ledger = 'cost';

-- What each account cost in each month: always the sum of its cost rows, recomputed under this row's lock.
create table core.spend_monthly (
  tenant text not null,
  account_id text not null,
  month date not null,
  currency text not null,
  amount numeric not null default 0,
  rows int not null default 0,
  final boolean not null default false,
  payer_account_id text,
  version bigint not null default 0,
  source_committed_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (tenant, account_id, month, currency)
);

-- Load markers. `state` is what may be relied on: it stays `loading` until the rows that the marker
-- counts have arrived here, since marker and rows travel on different topics.
create table core.billing_months (
  tenant text not null,
  source text not null,
  month date not null,
  state text not null default 'loading' check (state in ('loading', 'loaded', 'final')),
  marker_state text not null default 'loading',
  expected_rows bigint,
  version bigint not null default 0,
  source_committed_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (tenant, source, month)
);

-- Accounts with their owner, one row an account id: of several claims the one of the smallest record id.
create view core.accounts as
select distinct on (tenant, fields ->> 'account_id')
       tenant, pack, fields ->> 'account_id' as account_id, fields ->> 'payer_account_id' as payer_account_id,
       (fields ->> 'is_payer')::boolean as is_payer, customer, fields ->> 'customer_name' as customer_name,
       fields ->> 'name' as name, fields ->> 'status' as status, dq_flags, id as record_id, version
  from core.records
 where kind = 'account' and not deleted and fields ->> 'account_id' is not null
 order by tenant, fields ->> 'account_id', length(id), id;
