"""hack/bench/pivot: `bootstrapper pivot` beside `clusterctl move` and beside a client without any logic.

fleet      pure: the objects of a Cluster, as its providers make them
bare       requests side by side, without any logic: makes fleets, wipes them, and is the raw limit
servers    two kube-apiservers that write audit logs
audit      pure: what a kube-apiserver's audit log says about a run
watched    a process, timed, with its peak of memory
sides      one run of each program, from a fresh fleet to the proof that it moved
results    pure: medians, ratios, goals, as text, JSON and Markdown
plot       pure: the picture
"""
