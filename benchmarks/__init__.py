"""Benchmarks: ``python -m benchmarks [NAME...]`` prints tables, on stdout alone.

Each module here that has ``NAME`` and ``run(console)`` is one benchmark. It prints what it
measured, and ratios against a baseline measured in the same run.
"""
