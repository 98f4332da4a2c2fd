"""Broken twins: our own stack with one flaw each, which the check of that rule must catch."""
