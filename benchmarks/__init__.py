"""Measurements, each run by hand; what they gave stands in README.md."""
