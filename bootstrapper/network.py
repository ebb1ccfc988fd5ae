"""What must be in a new cluster so that pods on different nodes reach each other. Pure but for reading the manifest."""

from __future__ import annotations

from bootstrapper import manifests, template
from bootstrapper.config import ClusterRequest
from bootstrapper.world import Object


def objects(request: ClusterRequest) -> list[Object]:
    """The operator's CNI when the request names one; else what the built-in templates' node routes need.

    With an own template and no CNI the template is expected to bring its pod network: nothing is added.
    """
    cni = request.network.cni
    if cni is not None:
        return template.documents(cni.read_text(encoding="utf-8"), str(cni))
    if request.template is not None:
        return []
    routes = manifests.path("cni", "node-routes.yaml")
    return template.documents(routes.read_text(encoding="utf-8"), str(routes))
