"""The benchmarks' own tests: that they work, and never how fast anything is."""
