"""Runs scenario files and faults against real servers and the real engine."""
