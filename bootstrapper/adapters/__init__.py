"""The edge: the only modules that import kubernetes, docker, boto3, subprocess or tenacity.

Each turns every foreign exception into one of `bootstrapper.errors` (or `pivot.errors` for the
pivot's port) and says whether it is permanent.
"""
