-- The four data zones (spec section 1) and the vector type.
create extension if not exists vector;
create schema raw;
create schema core;
create schema search;
create schema ops;
