"""Frozen releases in PostgreSQL: releases, agreements, downloads."""
