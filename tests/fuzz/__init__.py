"""Attacks on everything foreign: damaged and hostile files, images, messages and processes, seeded and counted.

``tests/test_fuzz.py`` runs a sample of each; ``python -m tests.fuzz`` runs all of them and prints the table.
"""
