"""From nothing to a Kubernetes management cluster that manages itself.

Start reading at `init.py`: its list of steps is the table of contents.
"""
