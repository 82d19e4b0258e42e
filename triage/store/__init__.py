"""asyncpg: connections, named statements, and one thin module for each family of tables."""
