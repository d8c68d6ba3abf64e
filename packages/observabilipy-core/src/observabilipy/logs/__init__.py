"""Logs: from the call that records something to the entries that a storage takes."""
