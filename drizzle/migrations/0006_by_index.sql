-- What the engine asks goes by keys and by indexes that hold open deliveries only. The planner's statistics do not know that
-- almost all that is scheduled lies ahead and almost all that lies behind is published: they take what is due for a large part of
-- the table, and reading the table from its start for the quickest way to the first of them. Without that choice there is no other
-- plan to fall into. Compiling such a statement takes longer than running it; and before PostgreSQL 18 the reading of a small
-- table that has no index to go by counts as so dear that it would be compiled.
ALTER FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[]) SET enable_seqscan = off SET jit = off;
--> statement-breakpoint
ALTER FUNCTION psn.next_wake(jsonb, uuid[]) SET enable_seqscan = off SET jit = off;
--> statement-breakpoint
ALTER FUNCTION psn.wake_ups(jsonb, double precision, integer) SET enable_seqscan = off SET jit = off;
--> statement-breakpoint
ALTER FUNCTION psn.settle(jsonb) SET enable_seqscan = off SET jit = off;
