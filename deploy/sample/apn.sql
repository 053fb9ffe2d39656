-- The sample APN database: what a partner keeps of AWS Partner Central (ACE opportunities). Column names follow
-- the public field names; times carry a zone here, unlike Odoo's. Money and ids are what AWS sends: amounts are
-- *monthly* AWS revenue, an AWS account id is free text that is usually, but not always, twelve digits.

CREATE TABLE apn_users (
    id serial PRIMARY KEY,
    name text NOT NULL,
    email text,
    role text,
    active boolean NOT NULL DEFAULT true,
    last_modified_date timestamp with time zone NOT NULL
);

CREATE TABLE apn_companies (
    id serial PRIMARY KEY,
    name text NOT NULL,
    website text,
    industry text,
    country text,
    aliases text,
    last_modified_date timestamp with time zone NOT NULL
);

CREATE TABLE apn_contacts (
    id serial PRIMARY KEY,
    company_id integer,
    name text NOT NULL,
    title text,
    email text,
    phone text,
    last_modified_date timestamp with time zone NOT NULL
);

CREATE TABLE apn_opportunity (
    id serial PRIMARY KEY,
    apn_id text NOT NULL UNIQUE CHECK (apn_id ~ '^O[0-9]{1,19}$'),
    partner_crm_identifier text,
    company_id integer,
    customer_company_name text NOT NULL,
    customer_website text,
    project_title text,
    project_description text,
    industry text,
    use_case text,
    delivery_model text,
    expected_monthly_revenue numeric,
    currency text,
    target_close_date date,
    stage text,
    review_status text,
    opportunity_ownership text,
    lead_source text,
    aws_account_id text,
    owner_name text,
    owner_email text,
    country text,
    state text,
    postal_code text,
    government_advising text,
    created_date timestamp with time zone NOT NULL,
    last_modified_date timestamp with time zone NOT NULL
);

-- after the rows

ALTER TABLE apn_contacts
    ADD FOREIGN KEY (company_id) REFERENCES apn_companies (id) ON DELETE CASCADE;
ALTER TABLE apn_opportunity
    ADD FOREIGN KEY (company_id) REFERENCES apn_companies (id) ON DELETE SET NULL;

CREATE INDEX ON apn_opportunity (company_id);
CREATE INDEX ON apn_contacts (company_id);
