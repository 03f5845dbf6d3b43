"""Differential torture: random tables, transactions and faults from one seed; source = destination."""
