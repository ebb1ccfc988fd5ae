"""Move every Cluster API object from one management cluster to another, without ever losing one.

Start reading at `plan.py`: all decisions of the protocol stand there. The way in is `pivot.engine.Pivot`.
"""
