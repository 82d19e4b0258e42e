"""Routes, thin: decode, sign in, call, answer."""
