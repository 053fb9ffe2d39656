-- The sample Dynamics 365 Sales database, as a copy of Dataverse tables in PostgreSQL has it: GUID keys,
-- choices as whole numbers, columns of the customer's own with the prefix new_. Times are UTC with a zone.
--
-- The loader runs the part above the line "-- after the rows" first, copies the rows, then runs the rest.

CREATE TABLE systemuser (
    systemuserid uuid PRIMARY KEY,
    fullname text NOT NULL,
    internalemailaddress text,
    title text,
    isdisabled boolean NOT NULL DEFAULT false,
    createdon timestamp with time zone NOT NULL,
    modifiedon timestamp with time zone NOT NULL
);

-- new_tenantid: the customer's Microsoft tenant, typed in by hand, where somebody knew it
CREATE TABLE account (
    accountid uuid PRIMARY KEY,
    name text NOT NULL,
    websiteurl text,
    emailaddress1 text,
    telephone1 text,
    address1_line1 text,
    address1_city text,
    address1_postalcode text,
    address1_country text,
    numberofemployees integer,
    ownerid uuid NOT NULL,
    statecode integer NOT NULL DEFAULT 0,
    new_tenantid text,
    createdon timestamp with time zone NOT NULL,
    modifiedon timestamp with time zone NOT NULL
);

CREATE TABLE contact (
    contactid uuid PRIMARY KEY,
    parentcustomerid uuid,
    fullname text NOT NULL,
    jobtitle text,
    emailaddress1 text,
    telephone1 text,
    statecode integer NOT NULL DEFAULT 0,
    createdon timestamp with time zone NOT NULL,
    modifiedon timestamp with time zone NOT NULL
);

-- statecode: 0 open, 1 won, 2 lost; statuscode: 1 in progress, 2 on hold, 3 won, 4 cancelled, 5 sold out
CREATE TABLE opportunity (
    opportunityid uuid PRIMARY KEY,
    name text NOT NULL,
    parentaccountid uuid,
    parentcontactid uuid,
    ownerid uuid NOT NULL,
    description text,
    proposedsolution text,
    statecode integer NOT NULL DEFAULT 0,
    statuscode integer NOT NULL DEFAULT 1,
    stepname text,
    closeprobability integer,
    estimatedvalue numeric(19, 4),
    transactioncurrency text,
    estimatedclosedate date,
    actualclosedate date,
    new_seats integer,
    new_referralid text,
    createdon timestamp with time zone NOT NULL,
    modifiedon timestamp with time zone NOT NULL
);

-- after the rows

ALTER TABLE account ADD FOREIGN KEY (ownerid) REFERENCES systemuser (systemuserid) ON DELETE RESTRICT;
ALTER TABLE contact ADD FOREIGN KEY (parentcustomerid) REFERENCES account (accountid) ON DELETE CASCADE;
ALTER TABLE opportunity
    ADD FOREIGN KEY (parentaccountid) REFERENCES account (accountid) ON DELETE RESTRICT,
    ADD FOREIGN KEY (parentcontactid) REFERENCES contact (contactid) ON DELETE SET NULL,
    ADD FOREIGN KEY (ownerid) REFERENCES systemuser (systemuserid) ON DELETE RESTRICT;
CREATE INDEX ON contact (parentcustomerid);
CREATE INDEX ON opportunity (parentaccountid);
