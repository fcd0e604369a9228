"""Untrusted input: files that nobody wrote, given to every reader.  ``python -m sims.fuzz`` runs it."""
