-- RAW: the latest image of every source row, as it came (RAW-1). One partition a declared table, made by
-- `ensure_raw`; rows of undeclared tables go to the default partition.
create table raw.rows (
  tenant text not null,
  source_table text not null,
  pk text not null,
  epoch int not null,
  position bigint not null,
  deleted boolean not null,
  op text not null,
  committed_at timestamptz not null,
  received_at timestamptz not null default now(),
  fingerprint text not null,
  pending text[],
  moved_from text,
  moved_to text,
  image jsonb not null,
  primary key (tenant, source_table, pk)
) partition by list (source_table);

create table raw.rows_undeclared partition of raw.rows default;

comment on column raw.rows.pk is 'canonical JSON of the primary key: keys sorted, compact';
comment on column raw.rows.position is 'log position or poll counter; with epoch it orders the changes of a row';
comment on column raw.rows.op is 'operation of the newest change: c, u, d, r; m = handed over by a changed primary key';
comment on column raw.rows.pending is 'columns whose value is awaited from the row moved_from';

-- Rows of a table that are older than its last truncate are deleted (guarantee 6).
create table raw.truncates (
  tenant text not null,
  source_table text not null,
  epoch int not null,
  position bigint not null,
  primary key (tenant, source_table)
);

-- Columns and JSON types of each table as its rows last showed them (RAW-3).
create table raw.table_shapes (
  tenant text not null,
  source_table text not null,
  columns jsonb not null,
  fingerprint text not null,
  epoch int not null,
  position bigint not null,
  version bigint not null,
  changed_at timestamptz not null default now(),
  primary key (tenant, source_table)
);

create function raw.table_lock_key(tenant text, source_table text) returns bigint
language sql immutable parallel safe
return hashtextextended(tenant || '/' || source_table, 0);

-- Locks the rows of a batch table by table in the order given (sorted within a table), and returns for
-- each place the row that exists and the table's last truncate. Holds each table's lock in shared mode, so
-- that a truncate, a load marker or a re-assigned account waits for the batches that are on their way and
-- is seen by those that follow. Each table is named in a statement of its own: a statement over all
-- partitions would open every one of them.
create function raw.lock_rows(tenants text[], tables text[], keys text[])
returns table (
  place bigint, epoch int, "position" bigint, deleted boolean, op text, committed_at timestamptz,
  pending text[], moved_from text, moved_to text, image text,
  truncate_epoch int, truncate_position bigint
)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  one text;
begin
  perform pg_advisory_xact_lock_shared(raw.table_lock_key(t.tenant, t.source_table))
     from (select distinct k.tenant, k.source_table
             from unnest(tenants, tables) as k (tenant, source_table) order by 1, 2) as t;
  for one in select distinct k.source_table from unnest(tables) as k (source_table) order by 1 loop
    return query execute format($statement$
      select k.place, r.epoch, r.position, r.deleted, r.op, r.committed_at, r.pending, r.moved_from,
             r.moved_to, r.image::text, t.epoch, t.position
        from unnest($1, $2, $3) with ordinality as k (tenant, source_table, pk, place)
        left join raw.truncates t on t.tenant = k.tenant and t.source_table = %1$L
        left join lateral (
          select * from raw.rows
           where rows.tenant = k.tenant and rows.source_table = %1$L and rows.pk = k.pk
             for update) r on true
       where k.source_table = %1$L
    $statement$, one) using tenants, tables, keys;
  end loop;
end
$$;

create function raw.lock_table(tenant text, source_table text) returns void
language sql volatile
begin atomic
  select pg_advisory_xact_lock(raw.table_lock_key(tenant, source_table));
end;
