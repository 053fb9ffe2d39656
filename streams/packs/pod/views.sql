-- The names that the plan gives to this pack's core tables (CORE-2, CORE-3, CORE-4, CORE-6), over the
-- platform's neutral ones. Applied by `revops config apply`; may be applied again.

create or replace view core.opportunities as
select tenant as tenant_id, side, id, version, deleted, is_open,
       fields ->> 'title' as title,
       fields ->> 'company_name' as company_name,
       fields ->> 'normalized_company' as normalized_company,
       fields ->> 'website' as website,
       fields ->> 'email' as email,
       fields ->> 'normalized_domain' as normalized_domain,
       array(select jsonb_array_elements_text(fields -> 'aliases')) as aliases,
       fields ->> 'description' as description,
       array(select jsonb_array_elements_text(fields -> 'products')) as products,
       fields ->> 'industry' as industry,
       fields ->> 'country' as country,
       fields ->> 'state' as state,
       fields ->> 'city' as city,
       fields ->> 'phone' as phone,
       fields ->> 'stage' as stage,
       fields ->> 'outcome' as outcome,
       (fields ->> 'is_won')::boolean as is_won,
       coalesce(fields ->> 'origination', 'unknown') as origination,
       (fields ->> 'expected_revenue')::numeric as expected_revenue,
       fields ->> 'currency' as currency,
       fields ->> 'amount_period' as amount_period,
       (fields ->> 'expected_close')::date as expected_close,
       (fields ->> 'created_at')::timestamptz as created_at,
       (fields ->> 'changed_at')::timestamptz as changed_at,
       array(select jsonb_array_elements_text(fields -> 'account_ids')) as aws_accounts,
       array(select jsonb_array_elements_text(fields -> 'contacts')) as contacts,
       array(select jsonb_array_elements_text(fields -> 'contact_emails')) as contact_emails,
       fields ->> 'owner_name' as owner_name,
       fields ->> 'owner_email' as owner_email,
       customer,
       dq_flags,
       source_committed_at,
       updated_at,
       fields
  from core.records
 where pack = 'pod' and kind = 'opportunity';

create or replace view core.odoo_opportunities as
select tenant_id, id::bigint as odoo_id, version, deleted, fields ->> 'type' as type, is_open, title,
       company_name, normalized_company, website, email, normalized_domain, aliases, description,
       products, industry, country, state, city, phone, stage, outcome, is_won,
       fields ->> 'lost_reason' as lost_reason, origination, expected_revenue, currency,
       amount_period, expected_close, created_at, changed_at, fields ->> 'eur_status' as eur_status,
       (fields ->> 'eur_completed_at')::date as eur_completed_at, fields ->> 'apn_id' as apn_id,
       aws_accounts, contacts, contact_emails, owner_name, owner_email, customer,
       fields ->> 'merged_into' as merged_into, dq_flags, source_committed_at, updated_at
  from core.opportunities
 where side = 'odoo';

create or replace view core.ace_opportunities as
select tenant_id, id as ace_id, version, deleted, is_open, title, company_name, normalized_company,
       website, normalized_domain, aliases, description, products, industry, country, state,
       fields ->> 'postal_code' as postal_code, stage, fields ->> 'review_status' as review_status,
       outcome, is_won, origination, expected_revenue, currency, amount_period, expected_close,
       created_at, changed_at, fields ->> 'partner_crm_id' as partner_crm_id,
       (fields ->> 'government_advising')::boolean as government_advising, aws_accounts, contacts,
       contact_emails, owner_name, owner_email, customer, dq_flags, source_committed_at, updated_at
  from core.opportunities
 where side = 'ace';

create or replace view core.aws_accounts as
select tenant as tenant_id, account_id, payer_account_id, is_payer, customer, customer_name, name,
       status, dq_flags
  from core.accounts
 where pack = 'pod';

-- Open opportunities on the same cloud account are found by it (RULE-R5.2).
create index if not exists pod_records_accounts on core.records
  using gin ((fields -> 'account_ids'))
  where fields -> 'account_ids' is not null;

-- Every judgement by account (DEC-7); a pair without accounts has one row with the account '-'.
create or replace view ops.pod_evaluations as
select d.decision_id, d.tenant as tenant_id, d.pack, d.left_id as odoo_id, d.right_id as ace_id,
       coalesce(a ->> 'account_id', '-') as account_id, d.version, d.outcome,
       coalesce(a ->> 'outcome', d.outcome) as account_outcome, d.state, d.provisional, d.confidence,
       d.confidence_method, d.summary, d.rules, a -> 'rules' as account_rules, d.rule_set,
       d.rule_set_version, d.config_hash, d.model_version, d.as_of, d.decided_at as evaluated_at,
       d.fingerprint, d.trigger, d.correlation_id, d.processing_ms, d.supersedes
  from ops.decisions d
  left join lateral jsonb_array_elements(d.accounts) a on true
 where d.pack = 'pod';
