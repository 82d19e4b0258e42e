"""Who is asking: actors, verbs, tokens, sign-in."""
