"""Target files of this repository."""
