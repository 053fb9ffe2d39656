"""A round of matching learns in one call how things stand, and finds pairs and verdicts by both sides."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the indexes by right record, ended pairs included, and `core.begin_matching`.

    Of the indexes of pairs the primary key alone begins with the tenant, so that the planner, which
    knows nothing of a new table, takes it where the left record is given. The function must be
    volatile: what follows the lock is to see what was committed while it waited.
    """
    for name in ("left", "right"):
        op.execute(f"drop index core.matches_of_{name}")
    op.execute("drop index core.matches_by_status")
    op.execute("create index matches_of_right on core.matches (right_id, tenant, pack)")
    op.execute("create index matches_by_status on core.matches (status, tenant, pack)")
    op.execute("create index match_verdicts_right on core.match_verdicts (right_id, tenant, pack)")
    op.execute("""
        create function core.begin_matching(tenant text, pack text,
          out provisional boolean, out statistics bigint,
          out model_id text, out dimension int, out vocabulary_size int)
        language plpgsql volatile as $$
        #variable_conflict use_column
        begin
          perform pg_advisory_xact_lock(
            hashtextextended(begin_matching.tenant || E'\\x1f' || begin_matching.pack, 5));
          provisional := coalesce((select not bool_and(c.complete) from ops.completeness c
                                    where c.tenant = begin_matching.tenant), true);
          statistics := (select max(s.version) from core.match_statistics s
                          where s.tenant = begin_matching.tenant and s.pack = begin_matching.pack);
          select m.model_id, m.dimension, m.vocabulary_size
            into begin_matching.model_id, begin_matching.dimension, begin_matching.vocabulary_size
            from search.models m order by m.used_since desc limit 1;
        end $$""")
