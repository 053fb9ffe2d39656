-- The sample Partner Center database: customers, their agreements and the referrals that were shared, as a
-- partner keeps what the Partner Center interfaces give. A customer is its Microsoft tenant; an agreement has
-- no key of its own; words are spelt as the interface spells them, in any case.
--
-- The loader runs the part above the line "-- after the rows" first, copies the rows, then runs the rest.

-- relationship: Reseller, Indirect Reseller, Advisor, None or Removed
CREATE TABLE customer (
    tenant_id uuid PRIMARY KEY,
    company_name text NOT NULL,
    domain text,
    country character varying(2),
    relationship text,
    synchronised_at timestamp with time zone NOT NULL
);

CREATE TABLE agreement (
    customer_tenant_id uuid NOT NULL,
    agreement_type text NOT NULL,
    date_agreed date NOT NULL,
    agreed_by text,
    PRIMARY KEY (customer_tenant_id, agreement_type)
);

-- status and substatus: New/Pending, Active/Accepted, Closed/Won, Closed/Lost, Closed/Declined
CREATE TABLE referral (
    id text PRIMARY KEY,
    name text NOT NULL,
    customer_tenant_id uuid,
    customer_name text,
    contact_name text,
    contact_email text,
    city text,
    country text,
    notes text,
    solutions text,
    status text NOT NULL,
    substatus text,
    direction text,
    qualification text,
    deal_value numeric(18, 2),
    deal_currency character varying(3),
    closing_date date,
    external_reference_id text,
    created_date_time timestamp with time zone NOT NULL,
    updated_date_time timestamp with time zone NOT NULL
);

-- after the rows

ALTER TABLE agreement ADD FOREIGN KEY (customer_tenant_id) REFERENCES customer (tenant_id) ON DELETE CASCADE;
ALTER TABLE referral ADD FOREIGN KEY (customer_tenant_id) REFERENCES customer (tenant_id) ON DELETE SET NULL;
CREATE INDEX ON referral (customer_tenant_id);
