"""A Docker engine on a bare Debian machine, for kind and for the docker provider.

    command.py   start, stop, status: the words for the operator
    daemon.py    our dockerd: its files, its process, whether it is alive
    machine.py   what the machine lacks (capability, sysctls, cgroups, iptables) and the remedy for each
    runc_without_sys_resource.py   the runtime for machines that lack that capability

Python's standard library only: it runs before there is a virtual environment.
"""
