"""Measurements, each a program of its own: `python -m benchmarks.<name>`. README.md has their figures."""
