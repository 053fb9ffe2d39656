-- The sample CRM database: the tables of an Odoo 18 server that the pack reads, plus the partner's own
-- AWS and billing tables (c_...). Names, types, nullability and what happens on deletion are Odoo's;
-- columns that nothing here reads are left out. Times are UTC without a zone, numerics have no scale,
-- translated names are jsonb by language.
--
-- The loader runs the part above the line "-- after the rows" first, copies the rows, then runs the rest,
-- so that PostgreSQL itself checks every reference. On an empty database the whole file runs as it is.

CREATE TABLE res_currency (
    id serial PRIMARY KEY,
    name character varying NOT NULL,
    symbol character varying NOT NULL,
    full_name character varying,
    decimal_places integer,
    rounding numeric CHECK (rounding > 0),
    active boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE res_country (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    code character varying(2) NOT NULL,
    currency_id integer,
    phone_code integer,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE res_country_state (
    id serial PRIMARY KEY,
    country_id integer NOT NULL,
    name character varying NOT NULL,
    code character varying NOT NULL,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE res_partner_industry (
    id serial PRIMARY KEY,
    name jsonb,
    full_name jsonb,
    active boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE res_company (
    id serial PRIMARY KEY,
    name character varying NOT NULL,
    partner_id integer NOT NULL,
    currency_id integer NOT NULL,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE res_partner (
    id serial PRIMARY KEY,
    company_id integer,
    name character varying,
    complete_name character varying,
    commercial_company_name character varying,
    company_name character varying,
    parent_id integer,
    commercial_partner_id integer,
    is_company boolean,
    type character varying,
    ref character varying,
    lang character varying,
    tz character varying,
    vat character varying,
    website character varying,
    function character varying,
    street character varying,
    street2 character varying,
    zip character varying,
    city character varying,
    state_id integer,
    country_id integer,
    industry_id integer,
    user_id integer,
    email character varying,
    email_normalized character varying,
    phone character varying,
    phone_sanitized character varying,
    mobile character varying,
    comment text,
    color integer,
    active boolean,
    employee boolean,
    partner_share boolean,
    customer_rank integer,
    supplier_rank integer,
    credit_limit jsonb,
    autopost_bills character varying NOT NULL DEFAULT 'ask',
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone,
    CONSTRAINT res_partner_check_name CHECK ((type = 'contact' AND name IS NOT NULL) OR type <> 'contact')
);

CREATE TABLE res_users (
    id serial PRIMARY KEY,
    company_id integer NOT NULL,
    partner_id integer NOT NULL,
    login character varying NOT NULL UNIQUE,
    password character varying,
    active boolean DEFAULT true,
    share boolean,
    signature text,
    sale_team_id integer,
    notification_type character varying NOT NULL,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE crm_team (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    sequence integer,
    company_id integer,
    user_id integer,
    active boolean,
    use_leads boolean,
    use_opportunities boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE crm_stage (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    sequence integer,
    is_won boolean,
    fold boolean,
    team_id integer,
    requirements text,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE crm_lost_reason (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    active boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE crm_tag (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    color integer,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE crm_lead (
    id serial PRIMARY KEY,
    name character varying NOT NULL,
    type character varying NOT NULL,
    active boolean,
    company_id integer,
    user_id integer,
    team_id integer,
    stage_id integer,
    lost_reason_id integer,
    partner_id integer,
    partner_name character varying,
    contact_name character varying,
    function character varying,
    email_from character varying,
    email_normalized character varying,
    email_cc character varying,
    email_domain_criterion character varying,
    phone character varying,
    phone_sanitized character varying,
    mobile character varying,
    website character varying,
    street character varying,
    street2 character varying,
    zip character varying,
    city character varying,
    state_id integer,
    country_id integer,
    priority character varying,
    referred character varying,
    description text,
    lead_properties jsonb,
    expected_revenue numeric,
    prorated_revenue numeric,
    recurring_revenue numeric,
    recurring_revenue_monthly numeric,
    probability double precision CHECK (probability >= 0 AND probability <= 100),
    automated_probability double precision,
    color integer,
    date_deadline date,
    date_open timestamp without time zone,
    date_closed timestamp without time zone,
    date_conversion timestamp without time zone,
    date_last_stage_update timestamp without time zone,
    day_open double precision,
    day_close double precision,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone,
    completion_status character varying,
    completion_date date,
    x_origination character varying,
    x_apn_id character varying
);

CREATE TABLE crm_tag_rel (
    lead_id integer NOT NULL,
    tag_id integer NOT NULL,
    PRIMARY KEY (lead_id, tag_id)
);

CREATE TABLE product_template (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    sequence integer,
    categ_id integer,
    type character varying NOT NULL,
    service_tracking character varying NOT NULL,
    default_code character varying,
    description_sale jsonb,
    list_price numeric,
    sale_ok boolean,
    purchase_ok boolean,
    active boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE product_product (
    id serial PRIMARY KEY,
    product_tmpl_id integer NOT NULL,
    default_code character varying,
    combination_indices character varying,
    standard_price jsonb,
    active boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE sale_order (
    id serial PRIMARY KEY,
    name character varying NOT NULL,
    company_id integer NOT NULL,
    partner_id integer NOT NULL,
    partner_invoice_id integer NOT NULL,
    partner_shipping_id integer NOT NULL,
    opportunity_id integer,
    user_id integer,
    team_id integer,
    currency_id integer,
    state character varying,
    client_order_ref character varying,
    origin character varying,
    invoice_status character varying,
    note text,
    currency_rate numeric,
    amount_untaxed numeric,
    amount_tax numeric,
    amount_total numeric,
    validity_date date,
    date_order timestamp without time zone NOT NULL,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE sale_order_line (
    id serial PRIMARY KEY,
    order_id integer NOT NULL,
    sequence integer,
    company_id integer,
    currency_id integer,
    order_partner_id integer,
    salesman_id integer,
    product_id integer,
    state character varying,
    display_type character varying,
    name text NOT NULL,
    product_uom_qty numeric NOT NULL,
    price_unit numeric NOT NULL,
    discount numeric,
    price_subtotal numeric,
    price_total numeric,
    analytic_distribution jsonb,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE project_project (
    id serial PRIMARY KEY,
    name jsonb NOT NULL,
    sequence integer,
    partner_id integer,
    company_id integer,
    user_id integer,
    sale_line_id integer,
    privacy_visibility character varying NOT NULL,
    description text,
    date_start date,
    date date,
    active boolean,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone,
    CONSTRAINT project_project_project_date_greater CHECK (date >= date_start)
);

CREATE TABLE mail_message (
    id serial PRIMARY KEY,
    model character varying,
    res_id integer,
    record_name character varying,
    subject character varying,
    body text,
    message_type character varying NOT NULL,
    message_id character varying,
    email_from character varying,
    author_id integer,
    parent_id integer,
    is_internal boolean,
    date timestamp without time zone,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE account_move (
    id serial PRIMARY KEY,
    name character varying,
    ref character varying,
    state character varying NOT NULL,
    move_type character varying NOT NULL,
    payment_state character varying,
    company_id integer,
    partner_id integer,
    commercial_partner_id integer,
    currency_id integer NOT NULL,
    reversed_entry_id integer,
    invoice_user_id integer,
    team_id integer,
    invoice_origin character varying,
    date date NOT NULL,
    invoice_date date,
    invoice_date_due date,
    amount_untaxed numeric,
    amount_tax numeric,
    amount_total numeric,
    amount_residual numeric,
    amount_untaxed_signed numeric,
    amount_total_signed numeric,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE account_move_line (
    id serial PRIMARY KEY,
    move_id integer NOT NULL,
    sequence integer,
    company_id integer,
    currency_id integer NOT NULL,
    partner_id integer,
    product_id integer,
    move_name character varying,
    parent_state character varying,
    name character varying,
    display_type character varying NOT NULL,
    date date,
    quantity numeric,
    price_unit numeric,
    price_subtotal numeric,
    price_total numeric,
    debit numeric,
    credit numeric,
    balance numeric,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_aws_accounts (
    id serial PRIMARY KEY,
    account_number character varying NOT NULL,
    name character varying,
    partner_id integer,
    payer_account_id integer,
    is_payer boolean,
    status character varying,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_aws_funding_request (
    id serial PRIMARY KEY,
    name character varying,
    opportunity_id integer,
    partner_id integer,
    program character varying,
    amount numeric,
    currency character varying,
    status character varying,
    requested_on date,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_billing_cur_load (
    id serial PRIMARY KEY,
    month date NOT NULL UNIQUE,
    state character varying NOT NULL CHECK (state IN ('loading', 'loaded', 'final')),
    rows integer,
    loaded_at timestamp without time zone,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_billing_internal_cur (
    id serial PRIMARY KEY,
    account_number character varying NOT NULL,
    payer_account_number character varying,
    product_code character varying,
    product_name character varying,
    line_type character varying,
    billing_month date NOT NULL,
    usage_quantity numeric,
    usage_unit character varying,
    cost numeric NOT NULL,
    currency character varying,
    bill_invoice_id character varying,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_billing_bill (
    id serial PRIMARY KEY,
    name character varying,
    account_id integer,
    partner_id integer,
    period date NOT NULL,
    total numeric,
    currency character varying,
    state character varying,
    account_move_id integer,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_billing_bill_line (
    id serial PRIMARY KEY,
    bill_id integer NOT NULL,
    account_id integer,
    product_id integer,
    product_code character varying,
    quantity numeric,
    unit_price numeric,
    amount numeric,
    currency character varying,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

CREATE TABLE c_billing_spp_bill (
    id serial PRIMARY KEY,
    account_id integer,
    period date NOT NULL,
    amount numeric,
    discount_type character varying,
    discount_amount numeric,
    currency character varying,
    create_uid integer,
    write_uid integer,
    create_date timestamp without time zone,
    write_date timestamp without time zone
);

-- after the rows

ALTER TABLE res_country
    ADD FOREIGN KEY (currency_id) REFERENCES res_currency (id) ON DELETE SET NULL;
ALTER TABLE res_country_state
    ADD FOREIGN KEY (country_id) REFERENCES res_country (id) ON DELETE RESTRICT;
ALTER TABLE res_company
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (currency_id) REFERENCES res_currency (id) ON DELETE RESTRICT;
ALTER TABLE res_partner
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (parent_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (commercial_partner_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (state_id) REFERENCES res_country_state (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (country_id) REFERENCES res_country (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (industry_id) REFERENCES res_partner_industry (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE SET NULL;
ALTER TABLE res_users
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (sale_team_id) REFERENCES crm_team (id) ON DELETE SET NULL;
ALTER TABLE crm_team
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE SET NULL;
ALTER TABLE crm_stage
    ADD FOREIGN KEY (team_id) REFERENCES crm_team (id) ON DELETE SET NULL;
ALTER TABLE crm_lead
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (team_id) REFERENCES crm_team (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (stage_id) REFERENCES crm_stage (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (lost_reason_id) REFERENCES crm_lost_reason (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (state_id) REFERENCES res_country_state (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (country_id) REFERENCES res_country (id) ON DELETE SET NULL;
ALTER TABLE crm_tag_rel
    ADD FOREIGN KEY (lead_id) REFERENCES crm_lead (id) ON DELETE CASCADE,
    ADD FOREIGN KEY (tag_id) REFERENCES crm_tag (id) ON DELETE CASCADE;
ALTER TABLE product_product
    ADD FOREIGN KEY (product_tmpl_id) REFERENCES product_template (id) ON DELETE CASCADE;
ALTER TABLE sale_order
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (partner_invoice_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (partner_shipping_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (opportunity_id) REFERENCES crm_lead (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (team_id) REFERENCES crm_team (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (currency_id) REFERENCES res_currency (id) ON DELETE RESTRICT;
ALTER TABLE sale_order_line
    ADD FOREIGN KEY (order_id) REFERENCES sale_order (id) ON DELETE CASCADE,
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (currency_id) REFERENCES res_currency (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (order_partner_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (salesman_id) REFERENCES res_users (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (product_id) REFERENCES product_product (id) ON DELETE RESTRICT;
ALTER TABLE project_project
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (sale_line_id) REFERENCES sale_order_line (id) ON DELETE SET NULL;
ALTER TABLE mail_message
    ADD FOREIGN KEY (author_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (parent_id) REFERENCES mail_message (id) ON DELETE SET NULL;
ALTER TABLE account_move
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (commercial_partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (currency_id) REFERENCES res_currency (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (reversed_entry_id) REFERENCES account_move (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (invoice_user_id) REFERENCES res_users (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (team_id) REFERENCES crm_team (id) ON DELETE SET NULL;
ALTER TABLE account_move_line
    ADD FOREIGN KEY (move_id) REFERENCES account_move (id) ON DELETE CASCADE,
    ADD FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (currency_id) REFERENCES res_currency (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT,
    ADD FOREIGN KEY (product_id) REFERENCES product_product (id) ON DELETE RESTRICT;
ALTER TABLE c_aws_accounts
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (payer_account_id) REFERENCES c_aws_accounts (id) ON DELETE SET NULL;
ALTER TABLE c_aws_funding_request
    ADD FOREIGN KEY (opportunity_id) REFERENCES crm_lead (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE SET NULL;
ALTER TABLE c_billing_bill
    ADD FOREIGN KEY (account_id) REFERENCES c_aws_accounts (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (account_move_id) REFERENCES account_move (id) ON DELETE SET NULL;
ALTER TABLE c_billing_bill_line
    ADD FOREIGN KEY (bill_id) REFERENCES c_billing_bill (id) ON DELETE CASCADE,
    ADD FOREIGN KEY (account_id) REFERENCES c_aws_accounts (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (product_id) REFERENCES product_product (id) ON DELETE SET NULL;
ALTER TABLE c_billing_spp_bill
    ADD FOREIGN KEY (account_id) REFERENCES c_aws_accounts (id) ON DELETE SET NULL;

CREATE INDEX ON res_partner (commercial_partner_id);
CREATE INDEX ON res_partner (parent_id);
CREATE INDEX ON crm_lead (partner_id);
CREATE INDEX ON crm_lead (stage_id);
CREATE INDEX ON sale_order (opportunity_id) WHERE opportunity_id IS NOT NULL;
CREATE INDEX ON sale_order (partner_id);
CREATE INDEX ON sale_order_line (order_id);
CREATE INDEX ON mail_message (model, res_id);
CREATE INDEX ON mail_message (parent_id);
CREATE INDEX ON account_move_line (move_id);
CREATE INDEX ON c_aws_accounts (account_number);
CREATE INDEX ON c_aws_accounts (partner_id);
CREATE INDEX ON c_aws_funding_request (opportunity_id);
CREATE INDEX ON c_billing_internal_cur (account_number, billing_month);
CREATE INDEX ON c_billing_bill (account_id, period);
CREATE INDEX ON c_billing_bill (account_move_id);
CREATE INDEX ON c_billing_bill_line (bill_id);
