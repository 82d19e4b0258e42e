"""The log, pure: what phones send, what entries add up to, and the rules between."""
