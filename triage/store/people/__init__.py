"""People in PostgreSQL: identifiers, erasure, retention, regimes, subject access, recipients."""
