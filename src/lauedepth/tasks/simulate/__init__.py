"""Simulated scans as files."""
