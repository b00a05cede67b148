"""Measurements against torch and peers; `make bench` runs those of attention."""
