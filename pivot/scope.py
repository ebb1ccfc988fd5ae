"""Which namespaces a pivot is about that somebody began, maybe on another machine. Reads only."""

from __future__ import annotations

from pivot import claim
from pivot.observe import HOME
from pivot.ports import CONFIG_MAP, Cluster
from pivot.seen import DONE, MARKER_LABEL, Marker, marker_of


def markers(target: Cluster) -> list[Marker]:
    """Every marker in a cluster, the youngest last."""
    bodies = sorted(
        target.list(CONFIG_MAP, HOME, labels=MARKER_LABEL), key=lambda b: b["metadata"].get("creationTimestamp", "")
    )
    return [marker_of(body.get("data") or {}, body["metadata"]["uid"]) for body in bodies]


def begun(source: Cluster, target: Cluster) -> tuple[str, ...]:
    """The namespaces (empty: all) of the pivot of this source that isn't ended, else of the youngest one that is.

    The claim in the source says it before the hand-over, and to the end of a pivot from a source that lives on; the
    markers in the target say it from the hand-over on.

    Raises:
        Unavailable, Refused: an API server doesn't answer, or not to us.
    """
    claimed = claim.read(source)
    if claimed is not None:
        return claimed.namespaces
    identity = source.identity()
    ours = [marker for marker in markers(target) if marker.source == identity]
    unended = [marker for marker in ours if marker.state != DONE]
    return (unended or ours)[-1].namespaces if ours else ()
