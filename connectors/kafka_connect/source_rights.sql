-- What the platform needs in a source database, and nothing more. Run it as the owner of the tables who may
-- create roles (or as a superuser); running it again brings everything to what stands in `wanted`.
--
-- Log-based capture ("replication": true): a role with REPLICATION and SELECT on the named tables, and a
-- publication of exactly these tables. Polling: SELECT on the named tables alone. Columns that are named under
-- a table (passwords) are neither readable nor published. A column added later to such a table is left out
-- until this runs again. Set the password afterwards: \password <role>
do $rights$
declare
  wanted constant jsonb := $wanted${wanted}$wanted$;
  role_name constant text := wanted ->> 'role';
  schema_name constant text := wanted ->> 'schema';
  publication_name constant text := wanted ->> 'publication';
  replicates constant boolean := (wanted ->> 'replication')::boolean;
  one record;
  published text[] := '{}';
begin
  if not exists (select from pg_roles where rolname = role_name) then
    execute format('create role %I login', role_name);
  end if;
  if replicates and not (select rolreplication or rolsuper from pg_roles where rolname = role_name) then
    execute format('alter role %I replication', role_name);
  end if;
  execute format('grant connect on database %I to %I', current_database(), role_name);
  execute format('grant usage on schema %I to %I', schema_name, role_name);

  for one in
    select c.oid, format('%I.%I', schema_name, c.relname) as full_name, t.place, t.name,
           coalesce(cardinality(t.left_out) > 0, false) as partly, c.relreplident,
           exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) as has_key,
           (select string_agg(format('%I', a.attname), ', ' order by a.attnum)
              from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
               and a.attname <> all (coalesce(t.left_out, '{}'))) as columns
    from (select ordinality as place, value ->> 'name' as name,
                 array(select jsonb_array_elements_text(value -> 'without')) as left_out
            from jsonb_array_elements(wanted -> 'tables') with ordinality) t
    left join pg_class c on c.relname = t.name and c.relkind in ('r', 'p')
                        and c.relnamespace = to_regnamespace(quote_ident(schema_name))
    order by t.place
  loop
    if one.oid is null then
      raise exception 'there is no table %.%', schema_name, one.name
        using hint = 'Take it out of the tenant file, or name the right schema there.';
    end if;
    if replicates and not one.has_key and one.relreplident in ('d', 'n') then
      raise exception 'table % has no primary key: publishing it would make UPDATE and DELETE fail',
                      one.full_name
        using hint = 'Give it a primary key, take it out of the tenant file, or poll this source.';
    end if;
    if one.partly then
      execute format('revoke select on %s from %I', one.full_name, role_name);
      -- polling asks which transaction wrote a row; that column is included in no other right
      execute format('grant select (xmin, %s) on %s to %I', one.columns, one.full_name, role_name);
      if current_setting('server_version_num')::int < 150000 and replicates then
        raise exception 'PostgreSQL before 15 cannot leave columns of % out of a publication',
                        one.full_name
          using hint = 'Take the table out of the tenant file, or poll this source.';
      end if;
    else
      execute format('grant select on %s to %I', one.full_name, role_name);
    end if;
    published := published || (one.full_name || case when one.partly then ' (' || one.columns || ')'
                                                     else '' end);
  end loop;

  if replicates then
    if not exists (select from pg_publication where pubname = publication_name) then
      execute format('create publication %I', publication_name);
    end if;
    execute format('alter publication %I set table %s', publication_name,
                   array_to_string(published, ', '));
    if current_setting('wal_level') <> 'logical' then
      raise warning 'wal_level is %, log-based capture needs logical', current_setting('wal_level')
        using hint = 'ALTER SYSTEM SET wal_level = logical, then restart PostgreSQL; or poll this source.';
    end if;
    if current_setting('max_slot_wal_keep_size') = '-1' then
      raise warning 'max_slot_wal_keep_size is unlimited: while capture is down the log grows until the disk is full'
        using hint = 'ALTER SYSTEM SET max_slot_wal_keep_size = ''20GB'', then SELECT pg_reload_conf().';
    end if;
  end if;
end
$rights$;
