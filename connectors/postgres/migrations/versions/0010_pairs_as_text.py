"""Pairs carry their evidence as the text it is; a round learns whether a source is being read."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Changes two columns to json, and adds `loading` to what `core.begin_matching` tells.

    jsonb is taken apart when written and put together when read. Once the tables have been analysed,
    the statements of a round keep their plans: it only looks rows up by index, and planning took as
    long as that.
    """
    for column in ("evidence", "state"):
        op.execute(f"alter table core.matches alter column {column} drop default")
        op.execute(f"alter table core.matches alter column {column} type json using {column}::json")
        op.execute(f"alter table core.matches alter column {column} set default '{{}}'")
    op.execute("alter table core.matches alter column evidence set storage external")
    op.execute("drop function core.begin_matching")
    op.execute("""
        create function core.begin_matching(tenant text, pack text,
          out loading boolean, out provisional boolean, out statistics bigint,
          out model_id text, out dimension int, out vocabulary_size int)
        language plpgsql volatile as $$
        #variable_conflict use_column
        begin
          perform pg_advisory_xact_lock(
            hashtextextended(begin_matching.tenant || E'\\x1f' || begin_matching.pack, 5));
          if (select min(reltuples) from pg_class
               where oid in ('core.records'::regclass, 'core.match_keys'::regclass,
                             'core.matches'::regclass)) >= 100 then
            perform set_config('plan_cache_mode', 'force_generic_plan', true),
                    set_config('enable_seqscan', 'off', true);
          end if;
          loading := (select not bool_and(c.complete) from ops.completeness c
                       where c.tenant = begin_matching.tenant);
          provisional := coalesce(loading, true);
          loading := coalesce(loading, false);
          statistics := (select max(s.version) from core.match_statistics s
                          where s.tenant = begin_matching.tenant and s.pack = begin_matching.pack);
          select m.model_id, m.dimension, m.vocabulary_size
            into begin_matching.model_id, begin_matching.dimension, begin_matching.vocabulary_size
            from search.models m order by m.used_since desc limit 1;
        end $$""")
