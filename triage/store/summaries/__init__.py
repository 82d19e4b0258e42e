"""Published summaries in PostgreSQL: editions, the facts they count from, recomputation."""
