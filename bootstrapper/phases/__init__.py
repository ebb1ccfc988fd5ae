"""One module a phase; each offers `steps(config, world)` and no more."""
