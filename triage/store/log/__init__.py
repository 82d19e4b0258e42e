"""The log in PostgreSQL: appending, reading incidents, pulling changes, quarantine, review lists."""
