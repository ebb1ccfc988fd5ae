"""The real thing: the command itself, a real engine, real clusters. Takes minutes; cleans up behind itself.

Shared by the tests of this folder and by hack/killloop.
"""
