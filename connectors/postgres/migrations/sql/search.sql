-- Which encoder's vectors are in use; the vectors themselves lie in tables or collections that the
-- vector index makes for each model.
create table search.models (
  model_id text primary key,
  dimension int not null,
  vocabulary_size int,
  used_since timestamptz not null default clock_timestamp()
);
