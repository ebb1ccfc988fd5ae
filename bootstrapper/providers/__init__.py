"""Cluster API providers, installed the way clusterctl installs them. Pure: no module in here does I/O.

components    a release's components file -> the provider's objects, labelled, and its inventory entry
releases      versions, and the contracts that they implement
contracts     which providers fit the core provider
inventory     what is installed already, as clusterctl's inventory tells
webhooks      where objects name a webhook's service and the CA that it is trusted by
certificates  webhook certificates of our own, where cert-manager isn't there
renewal       new ones, before they expire, without a gap in trust
waves         what must be there before what
readiness     what is still missing, as one sentence
"""
