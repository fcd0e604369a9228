"""Cascades: the language, the shipped ones, their values, their passes, and the graph that a machine runs."""
