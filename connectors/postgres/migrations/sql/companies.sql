-- COMPANIES: golden records. Every core record names its company by a member key; members that are one
-- company share a row of core.companies, known by the key of its first member.

-- A web domain alone is no company, several may share it: the name goes with it.
create function core.company_member(customer text, fields jsonb) returns text
language sql immutable parallel safe
return case when customer = 'domain:' || (fields ->> 'normalized_domain')
            then customer || '/' || coalesce(fields ->> 'normalized_company', '') else customer end;

-- The customer that records state whose company is this member.
create function core.company_customer(member text) returns text
language sql immutable parallel safe
return case when member like 'domain:%' then split_part(member, '/', 1) else member end;

-- Which member each record names, and what it calls it.
create table core.company_records (
  tenant text not null,
  pack text not null,
  kind text not null,
  side text not null,
  id text not null,
  member text not null,
  name text,
  domain text,
  country text,
  aliases text[] not null default '{}',
  primary key (tenant, pack, kind, side, id)
);
create index company_records_member on core.company_records (member, tenant, pack);

-- What members share where they are one company: name and web domain, or a name of the curated list.
create table core.company_keys (
  tenant text not null,
  pack text not null,
  member text not null,
  kind text not null check (kind in ('alias', 'named')),
  key text not null,
  primary key (tenant, pack, member, kind, key)
);
create index company_keys_key on core.company_keys (key, kind, tenant, pack);

-- Members whose deals are one with little doubt about the company, by a person's word or by the matcher.
create table core.company_links (
  tenant text not null,
  pack text not null,
  left_id text not null,
  right_id text not null,
  first text not null,
  second text not null,
  kind text not null check (kind in ('confirmed', 'matched')),
  probability numeric(3, 2) not null,
  primary key (tenant, pack, left_id, right_id)
);
create index company_links_first on core.company_links (first, tenant, pack);
create index company_links_second on core.company_links (second, tenant, pack);

-- What people said of two members, the newest word on each pair.
create table core.company_verdicts (
  tenant text not null,
  pack text not null,
  first text not null,
  second text not null,
  verdict text not null check (verdict in ('same', 'different')),
  actor text not null,
  reason text not null,
  given_at timestamptz not null,
  primary key (tenant, pack, first, second),
  check (first < second)
);
create index company_verdicts_second on core.company_verdicts (second, tenant, pack);

create table core.company_members (
  tenant text not null,
  pack text not null,
  member text not null,
  company_id text not null,
  evidence jsonb,
  primary key (tenant, pack, member)
);
comment on column core.company_members.evidence is 'the link that ties it to the others; null: it gives the company its id';
create index company_members_company on core.company_members (company_id, tenant, pack);

create table core.companies (
  tenant text not null,
  pack text not null,
  company_id text not null,
  version bigint not null,
  deleted boolean not null default false,
  name text not null,
  normalized_company text not null,
  aliases text[] not null,
  domains text[] not null,
  country text,
  doubts jsonb not null default '[]',
  updated_at timestamptz not null default clock_timestamp(),
  primary key (tenant, pack, company_id)
);
comment on column core.companies.deleted is 'it went into another company, or no record names it any more';
create index companies_name on core.companies (normalized_company, tenant);

-- What became of companies: `others` they merged with or split from, members that came and went.
create table core.company_history (
  seq bigint generated always as identity primary key,
  tenant text not null,
  pack text not null,
  company_id text not null,
  kind text not null check (kind in ('created', 'changed', 'merged', 'split', 'removed')),
  others text[] not null,
  joined text[] not null,
  "left" text[] not null,
  at timestamptz not null default clock_timestamp()
);
create index company_history_company on core.company_history (company_id, tenant, pack, seq);

-- The company of a member; a member that is in none yet stands for itself.
create function core.company_of(tenant text, pack text, member text) returns text
language sql stable parallel safe
return coalesce((select m.company_id from core.company_members m
                  where (m.tenant, m.pack, m.member) = (company_of.tenant, company_of.pack, company_of.member)),
                company_of.member);

-- Accounts with their owner: the company. Of several claims on an account id the one of the smallest
-- record id holds.
create or replace view core.accounts as
select a.tenant, a.pack, a.account_id, a.payer_account_id, a.is_payer,
       core.company_of(a.tenant, a.pack, a.member) as customer, a.customer_name, a.name, a.status, a.dq_flags,
       a.record_id, a.version
  from (select distinct on (tenant, fields ->> 'account_id')
               tenant, pack, fields ->> 'account_id' as account_id,
               fields ->> 'payer_account_id' as payer_account_id,
               (fields ->> 'is_payer')::boolean as is_payer,
               core.company_member(customer, fields) as member,
               fields ->> 'customer_name' as customer_name, fields ->> 'name' as name,
               fields ->> 'status' as status, dq_flags, id as record_id, version
          from core.records
         where kind = 'account' and not deleted and fields ->> 'account_id' is not null
         order by tenant, fields ->> 'account_id', length(id), id) a;
