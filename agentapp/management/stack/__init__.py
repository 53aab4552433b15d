"""The embedded stack: Postgres, Valkey and our own processes under one small supervisor.

Nothing here imports Django, so that the host can start before any setting can be read.
"""
