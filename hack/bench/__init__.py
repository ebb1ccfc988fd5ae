"""hack/bench/init: `bootstrapper init` beside the documented procedure typed by hand, with the same parts.

parts        what both sides use, made beforehand
by_hand      the procedure, command by command
by_program   `bootstrapper init`, its phases read from its events
shell        commands, timed
memory       what all containers of a run use
machines     containers of a run, removed
results      pure: phases, medians, the ratio, as text and JSON

pivots       hack/bench/pivot, a package of its own
"""
