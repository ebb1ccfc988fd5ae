"""What is wrong with a request: every finding at once, as (where, sentence). Pure; works on plain data.

First the schema speaks, for each value alone. Then come the rules between values; a rule is asked only when
the schema had nothing against what it looks at, so that one slip gives one finding.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bootstrapper import schema

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from bootstrapper.document import Where

#: Where the value is, and the sentence about it.
Finding = tuple["Where", str]

#: Longest suffix that a cluster's name gets: kind calls its node NAME-bootstrap-control-plane, and a
#: container's host name ends at 63. Machines of a KubeadmControlPlane are NAME-control-plane-xxxxx.
_LONGEST_MANAGEMENT_SUFFIX = "-bootstrap-control-plane"
_LONGEST_WORKLOAD_SUFFIX = "-control-plane-xxxxx"
#: Machines of a pool are NAME-POOL-xxxxx-xxxxx (MachineSet, then Machine).
_POOL_SUFFIX = "-xxxxx-xxxxx"
_LONGEST_LABEL = 63

#: kube-controller-manager gives each node a /24, and kubeadm refuses a pod range more than 16 bits larger.
_NODE_PREFIX = 24
_LARGEST_POD_PREFIX = _NODE_PREFIX - 16
#: kubeadm: at most 20 bits of services, and room for at least 10 (the DNS service is the tenth).
_SERVICE_PREFIXES = range(12, 29)

#: Variables that the program sets for every template, each with the key that decides it.
STANDARD_VARIABLES: Mapping[str, str] = {
    "CLUSTER_NAME": "metadata.name",
    "NAMESPACE": "metadata.namespace",
    "KUBERNETES_VERSION": "spec.kubernetesVersion",
    "CONTROL_PLANE_MACHINE_COUNT": "spec.controlPlane.replicas",
    "WORKER_MACHINE_COUNT": "spec.workers",
    "POD_CIDR": "spec.network.pods",
    "SERVICE_CIDR": "spec.network.services",
}


class Asked(NamedTuple):
    """builtin_providers: those that need no template of the operator's. managing: a management cluster."""

    builtin_providers: tuple[str, ...] = ("docker",)
    managing: bool = True


def findings(data: Any, asked: Asked) -> list[Finding]:
    """Everything that is wrong with the request in `data` (parsed YAML, defaults not yet filled in)."""
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema.SCHEMA).iter_errors(data)
    # A value of the wrong type fits no enum either: one sentence a value.
    found = list({where: (where, text) for error in errors for where, text in _explain(error)}.values())
    if not isinstance(data, dict):
        return found
    full = schema.with_defaults(data)
    broken = [where for where, _ in found]
    for needs, rule in _RULES:
        if not any(_touches(where, need) for where in broken for need in needs):
            found += rule(full, asked)
    return found


def dotted(where: Where) -> str:
    """("spec", "workers", 0, "name") -> "spec.workers[0].name"."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return "".join(parts).removeprefix(".")


def nearest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'replicas'?", or what is known when nothing is near."""
    choices = list(known)
    near = difflib.get_close_matches(word.lower(), [c.lower() for c in choices], n=1)
    if near:
        return f"; did you mean {next(c for c in choices if c.lower() == near[0])!r}?"
    return f"; known: {', '.join(choices)}" if choices else ""


def _touches(where: Where, need: Where) -> bool:
    """Whether one of the two lies inside the other."""
    shared = min(len(where), len(need))
    return where[:shared] == need[:shared]


# the schema's errors, in words


def _explain(error: ValidationError) -> list[Finding]:
    where = tuple(error.absolute_path)
    rule, value = cast("Mapping[str, Any]", error.schema), cast("Any", error.instance)
    if "propertyNames" in error.absolute_schema_path:
        return [((*where, value), f"{value!r} is not {rule['title']}")]
    if error.validator == "additionalProperties":
        return [_unknown(where, key, rule) for key in value if key not in rule["properties"]]
    if error.validator == "required":
        absent = [key for key in rule["required"] if key not in value]
        return [((*where, key), f"{_place(where)} lacks {key!r}") for key in absent]
    return [(where, _misfit(where, value, rule, str(error.validator)))]


def _unknown(where: Where, key: str, rule: Mapping[str, Any]) -> Finding:
    return (*where, key), f"unknown key {key!r} in {_place(where)}{nearest(key, rule['properties'])}"


def _misfit(where: Where, value: Any, rule: Mapping[str, Any], validator: str) -> str:
    title = rule.get("title", "a mapping")
    text = f"{_place(where)}: {_shown(value)} is not {title}"
    if validator in ("enum", "const"):
        choices = rule.get("enum", [rule.get("const")])
        return text + nearest(str(value), (choice for choice in choices if isinstance(choice, str)))
    examples = [*rule.get("examples", []), *([rule["default"]] if rule.get("default") else [])]
    return text + (f", such as {examples[0]}" if examples else "")


_KINDS: Mapping[type, str] = {dict: "a mapping", list: "a list"}


def _shown(value: Any) -> str:
    """A value as the operator may recognise it; not what is in a mapping or a list."""
    if value is None:
        return "nothing"
    return _KINDS.get(type(value)) or (str(value).lower() if isinstance(value, bool) else repr(value))


def _place(where: Where) -> str:
    return dotted(where) or "the request"


# rules between values; `full` has every default filled in


_NAME: Where = ("metadata", "name")
_POOLS: Where = ("spec", "workers")
_PODS: Where = ("spec", "network", "pods")
_SERVICES: Where = ("spec", "network", "services")


def _name_fits(full: Any, asked: Asked) -> Iterator[Finding]:
    suffix = _LONGEST_MANAGEMENT_SUFFIX if asked.managing else _LONGEST_WORKLOAD_SUFFIX
    name, limit = full["metadata"]["name"], _LONGEST_LABEL - len(suffix)
    if len(name) > limit:
        why = f"{name}{suffix} would pass {_LONGEST_LABEL} characters"
        yield _NAME, f"metadata.name: {name!r} has {len(name)} characters, at most {limit} fit ({why})"


def _pools_fit(full: Any, _: Asked) -> Iterator[Finding]:
    cluster, seen = full["metadata"]["name"], set()
    for number, pool in enumerate(full["spec"]["workers"]):
        name, where = pool["name"], (*_POOLS, number, "name")
        limit = _LONGEST_LABEL - len(f"{cluster}-{_POOL_SUFFIX}")
        if name in seen:
            yield where, f"{dotted(where)}: a worker pool named {name!r} is there already"
        if name == "control-plane":
            yield where, f"{dotted(where)}: {name!r} is the name of the control plane's own objects"
        if len(name) > limit:
            why = f"machines are named {cluster}-{name}{_POOL_SUFFIX}"
            yield where, f"{dotted(where)}: {name!r} has {len(name)} characters, at most {limit} fit ({why})"
        seen.add(name)


def _ranges_fit(full: Any, _: Asked) -> Iterator[Finding]:
    network = full["spec"]["network"]
    pods, services = _network(network["pods"]), _network(network["services"])
    if isinstance(pods, str):
        yield _PODS, f"{dotted(_PODS)}: {pods}"
    if isinstance(services, str):
        yield _SERVICES, f"{dotted(_SERVICES)}: {services}"
    elif services.prefixlen not in _SERVICE_PREFIXES:
        size = "large" if services.prefixlen < _SERVICE_PREFIXES[0] else "small"
        limits = f"/{_SERVICE_PREFIXES[0]} to /{_SERVICE_PREFIXES[-1]}"
        yield _SERVICES, f"{dotted(_SERVICES)}: {services} is too {size}: kubeadm allows {limits}"
    elif not isinstance(pods, str) and pods.overlaps(services):
        yield _SERVICES, f"{dotted(_SERVICES)}: {services} overlaps the pods' range {pods}"


def _network(text: str) -> ipaddress.IPv4Network | str:
    """The range, or what is wrong with the text."""
    try:
        loose = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return f"{text!r} is not an IPv4 range"
    return loose if str(loose) == text else f"{text!r} is an address inside a range; the range is {loose}"


def _pods_fit(full: Any, _: Asked) -> Iterator[Finding]:
    spec = full["spec"]
    pods = _network(spec["network"]["pods"])
    if isinstance(pods, str):
        return
    machines = spec["controlPlane"]["replicas"] + sum(pool["replicas"] for pool in spec["workers"])
    # A rolling upgrade has one machine more in the control plane and in each pool for a while.
    most = int(machines + 1 + len(spec["workers"]))
    room = 2 ** (_NODE_PREFIX - pods.prefixlen) if pods.prefixlen <= _NODE_PREFIX else 0
    if pods.prefixlen < _LARGEST_POD_PREFIX:
        yield _PODS, f"{dotted(_PODS)}: {pods} is too large: kubeadm allows /{_LARGEST_POD_PREFIX} at most"
    elif room < most:
        need = f"{most} machines during an upgrade need {most}"
        yield _PODS, f"{dotted(_PODS)}: {pods} is too small: it has {room} ranges of /{_NODE_PREFIX}, {need}"


def _bootstrap_is_whole(full: Any, _: Asked) -> Iterator[Finding]:
    bootstrap, where = full["spec"]["bootstrap"], ("spec", "bootstrap")
    if bootstrap["backend"] == "existing" and "kubeconfig" not in bootstrap:
        yield (
            where,
            "spec.bootstrap: backend existing needs 'kubeconfig', the path to that cluster's kubeconfig",
        )
    if bootstrap["backend"] != "existing" and "kubeconfig" in bootstrap:
        text = f"spec.bootstrap.kubeconfig: only backend existing has one, this is {bootstrap['backend']}"
        yield (*where, "kubeconfig"), text


def _template_exists(full: Any, asked: Asked) -> Iterator[Finding]:
    where = ("spec", "infrastructure", "provider")
    provider = full["spec"]["infrastructure"]["provider"].partition(":")[0]
    if provider not in asked.builtin_providers and "template" not in full["spec"]:
        there = ", ".join(asked.builtin_providers)
        why = f"no built-in template for {provider!r} (there is: {there}); give yours as spec.template"
        yield where, f"{dotted(where)}: {why}"


def _variables_are_free(full: Any, _: Asked) -> Iterator[Finding]:
    for name in full["spec"]["variables"]:
        if name in STANDARD_VARIABLES:
            where = ("spec", "variables", name)
            yield where, f"{dotted(where)}: this variable is set by {STANDARD_VARIABLES[name]}"


_Rule = Callable[[Any, Asked], Iterator[Finding]]

#: What a rule looks at, and the rule.
_RULES: tuple[tuple[tuple[Where, ...], _Rule], ...] = (
    ((_NAME,), _name_fits),
    ((_NAME, _POOLS), _pools_fit),
    ((_PODS, _SERVICES), _ranges_fit),
    ((_PODS, ("spec", "controlPlane"), _POOLS), _pods_fit),
    ((("spec", "bootstrap"),), _bootstrap_is_whole),
    ((("spec", "infrastructure"), ("spec", "template")), _template_exists),
    ((("spec", "variables"),), _variables_are_free),
)
