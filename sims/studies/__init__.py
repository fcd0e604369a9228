"""Published results redone: a study holds parameters and published numbers, builds Graph, Machine and Mapping, and evaluates them.

A study is a package here.  Its docstring says in one line what it redoes, and ``study.py`` in it has ``study() -> Study``.
"""
