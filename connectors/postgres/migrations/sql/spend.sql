-- SPEND: costs imported from files, the summaries that questions about spend are answered from (CORE-8),
-- and what was found in them.

-- One run of `revops spend import`: the number orders imports as log positions order changes.
create table core.spend_imports (
  import_id bigint generated always as identity primary key,
  tenant text not null,
  pack text not null,
  export text not null,
  standard text not null,
  fingerprint text not null,
  files jsonb not null,
  months date[] not null default '{}',
  rows bigint not null default 0,
  rejected bigint not null default 0,
  started_at timestamptz not null,
  finished_at timestamptz
);
create index spend_imports_export on core.spend_imports (tenant, export, fingerprint);
comment on column core.spend_imports.fingerprint is 'SHA-256 over the files'' contents and how they are read';
comment on column core.spend_imports.months is 'months that are stored: an import that was cut off goes on after them';

-- The cost lines of an account's month as one export has them, in parallel arrays: replaced as a whole.
create table core.imported_costs (
  tenant text not null,
  account_id text not null,
  month date not null,
  export text not null,
  import_id bigint not null references core.spend_imports,
  pack text not null,
  payer_account_id text,
  final boolean not null,
  product_codes text[] not null,
  product_names text[] not null,
  line_types text[] not null,
  currencies text[] not null,
  amounts numeric[] not null,
  quantities numeric[] not null,
  units text[] not null,
  rows bigint[] not null,
  imported_at timestamptz not null,
  primary key (tenant, account_id, month, export)
);
create index imported_costs_export on core.imported_costs (export, month, tenant);

-- Every billing line that counts. An account's month is counted from one source alone: the captured
-- cost table where it has rows, else the export that was imported last.
create view core.billing_lines as
select tenant, pack, ledger, source_table as source, account_id, customer, payer_account_id,
       product_code, product_name, line_type, month, usage_quantity, usage_unit, amount, currency,
       final, 1::bigint as rows, committed_at
  from core.billing_records
 where not deleted and month is not null
union all
select i.tenant, i.pack, 'cost', 'import:' || i.export, i.account_id, null, i.payer_account_id,
       l.product_code, l.product_name, l.line_type, i.month, l.quantity, l.unit, l.amount, l.currency,
       i.final, l.rows, i.imported_at
  from core.imported_costs i
 cross join lateral unnest(i.product_codes, i.product_names, i.line_types, i.currencies, i.amounts,
                           i.quantities, i.units, i.rows)
    as l (product_code, product_name, line_type, currency, amount, quantity, unit, rows)
 where not exists (
         select from core.billing_records b
          where b.tenant = i.tenant and b.account_id = i.account_id and b.month = i.month
            and b.ledger = 'cost' and not b.deleted)
   and not exists (
         select from core.imported_costs n
          where n.tenant = i.tenant and n.account_id = i.account_id and n.month = i.month
            and n.import_id > i.import_id);

-- Totals of each account (or, where rows name no account, customer) and month, by ledger and currency.
create table core.spend_summaries (
  tenant text not null,
  ledger text not null,
  account_id text not null,
  customer text not null,
  month date not null,
  currency text not null,
  payer_account_id text not null,
  amount numeric not null,
  rows bigint not null,
  provisional bigint not null,
  unpriced bigint not null,
  primary key (tenant, ledger, account_id, customer, month, currency)
);
comment on column core.spend_summaries.customer is 'owner of the account, else whom the rows name; empty: nobody';
comment on column core.spend_summaries.provisional is 'rows of which no final invoice is known';
comment on column core.spend_summaries.unpriced is 'rows whose amount is no number: they are in no total';
create index spend_summaries_month on core.spend_summaries (month, tenant, ledger);
create index spend_summaries_account on core.spend_summaries (account_id, tenant, month);
create index spend_summaries_customer on core.spend_summaries (customer, tenant, month);
create index spend_summaries_payer on core.spend_summaries (payer_account_id, tenant, month);

-- The same totals by product, in parallel arrays: beside the summaries, which are read far more often.
create table core.spend_products (
  tenant text not null,
  ledger text not null,
  account_id text not null,
  customer text not null,
  month date not null,
  currency text not null,
  payer_account_id text not null,
  product_codes text[] not null,
  amounts numeric[] not null,
  rows bigint[] not null,
  provisional bigint[] not null,
  unpriced bigint[] not null,
  primary key (tenant, ledger, account_id, customer, month, currency)
);
create index spend_products_account on core.spend_products (account_id, tenant, month);
create index spend_products_customer on core.spend_products (customer, tenant, month);
create index spend_products_payer on core.spend_products (payer_account_id, tenant, month);

-- Totals by product of everything ('*') and of each payer ('' = no payer is known).
create table core.spend_by_product (
  tenant text not null,
  payer_account_id text not null,
  month date not null,
  ledger text not null,
  product_code text not null,
  currency text not null,
  amount numeric not null,
  rows bigint not null,
  provisional bigint not null,
  unpriced bigint not null,
  primary key (tenant, payer_account_id, month, ledger, product_code, currency)
);

-- Totals of each customer ('' = nobody is known): what rules and the watch on the limit ask for.
create table core.spend_by_customer (
  tenant text not null,
  customer text not null,
  month date not null,
  ledger text not null,
  currency text not null,
  amount numeric not null,
  rows bigint not null,
  provisional bigint not null,
  unpriced bigint not null,
  primary key (tenant, customer, month, ledger, currency)
);

-- What products are called: as invoices last called them, else as the provider did.
create table core.product_names (
  tenant text not null,
  product_code text not null,
  name text not null,
  in_catalogue boolean not null,
  named_at timestamptz not null,
  primary key (tenant, product_code)
);

-- Spend of an account's product that is far from what it was (BILL-9).
create table ops.spend_anomalies (
  tenant text not null,
  pack text not null,
  account_id text not null,
  product_code text not null,
  month date not null,
  currency text not null,
  customer text not null,
  amount numeric not null,
  expected numeric not null,
  deviation numeric not null,
  tolerance numeric not null,
  method text not null,
  months int not null,
  state text not null check (state in ('open', 'acknowledged', 'ended')),
  acknowledged_by text,
  note text not null default '',
  version bigint not null,
  found_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, pack, account_id, product_code, month, currency)
);
create index spend_anomalies_month on ops.spend_anomalies (tenant, month, state);

-- How near each customer's month is to the limit (BILL-10).
create table ops.spend_thresholds (
  tenant text not null,
  pack text not null,
  customer text not null,
  month date not null,
  state text not null check (state in ('under', 'near', 'over', 'unknown')),
  amount numeric,
  threshold numeric not null,
  currency text not null,
  version bigint not null,
  updated_at timestamptz not null,
  primary key (tenant, pack, customer, month)
);
create index spend_thresholds_month on ops.spend_thresholds (tenant, month, state);
