"""What moves: a verdict for every object. Each row is a sentence of the clusterctl contract, or of ours."""

from __future__ import annotations

import pytest
from pivot_builders import (
    BINDING,
    CLASS,
    CLUSTER,
    DRAIN_RULE,
    EXTENSION,
    IDENTITY,
    INFRA_MACHINE,
    KINDS,
    MACHINE,
    MOVED_WIDGET,
    PROVIDER,
    RESOURCE_SET,
    TEMPLATE,
    WIDGET,
    an,
    cluster,
    look,
    of_class,
)

from pivot.objects import HIERARCHY_LABEL, MOVE_LABEL, Item
from pivot.ports import CONFIG_MAP, SECRET
from pivot.seen import Options
from pivot.verdict import Judgement, judge

A = cluster("a")
IDENTITY_ROOT = an(IDENTITY, "account", labels=(HIERARCHY_LABEL,))
SET = an(RESOURCE_SET, "addons")
QUICK = an(CLASS, "quick")
LABELLED = an(CONFIG_MAP, "x", labels=(MOVE_LABEL,))


def verdict_on(item: Item, *others: Item, target: tuple[Item, ...] = (), options: Options | None = None) -> Judgement:
    chosen = options or Options()
    return judge(look(item, *others, target=target, options=chosen), chosen)[item.key]


@pytest.mark.parametrize(
    ("says", "item", "others", "verdict"),
    [
        ("a Cluster is a root", A, (), "MOVE"),
        ("a ClusterClass is a root", QUICK, (), "MOVE"),
        ("a ClusterResourceSet is a root", SET, (), "MOVE"),
        ("what a Cluster owns moves", an(MACHINE, "m", A), (A,), "MOVE"),
        ("and so does what that owns", an(INFRA_MACHINE, "m", an(MACHINE, "m", A)), (A, an(MACHINE, "m", A)), "MOVE"),
        ("a ConfigMap of a ClusterResourceSet", an(CONFIG_MAP, "cni", SET), (SET,), "MOVE"),
        ("a Secret by its name", an(SECRET, "a-kubeconfig"), (A,), "MOVE"),
        ("with a suffix that has dashes", an(SECRET, "a-apiserver-etcd-client"), (A,), "MOVE"),
        ("a Cluster's name has dashes", an(SECRET, "a-b-ca"), (A, cluster("a-b")), "MOVE"),
        ("an unknown suffix", an(SECRET, "a-password"), (A,), "STAY"),
        ("in another namespace", an(SECRET, "a-ca", namespace="other"), (A,), "STAY"),
        ("a Secret of no Cluster", an(SECRET, "b-ca"), (A,), "STAY"),
        ("a binding by its cluster name", an(BINDING, "a", spec={"clusterName": "a"}), (A,), "MOVE"),
        ("an unrelated ConfigMap", an(CONFIG_MAP, "x"), (A,), "STAY"),
        ("labelled to move", an(CONFIG_MAP, "x", labels=(MOVE_LABEL,)), (), "MOVE"),
        ("what hangs below that, else it would be collected", an(CONFIG_MAP, "y", LABELLED), (LABELLED,), "MOVE"),
        ("of a CRD that is labelled to move", an(MOVED_WIDGET, "x"), (), "MOVE"),
        ("a cluster-scoped identity", IDENTITY_ROOT, (), "COPY"),
        ("what hangs below an identity", an(SECRET, "key", IDENTITY_ROOT), (IDENTITY_ROOT,), "COPY"),
        ("a Cluster below an identity, lest it be in both", cluster("c", IDENTITY_ROOT), (IDENTITY_ROOT,), "MOVE"),
        ("the inventory", an(PROVIDER, "cluster-api"), (A,), "STAY"),
        ("a MachineDrainRule, which the peer never moves", an(DRAIN_RULE, "skip"), (), "MOVE"),
        ("an ExtensionConfig, which the peer never moves", an(EXTENSION, "hooks"), (), "COPY"),
        ("a kind without clusterctl's label below a Cluster", an(WIDGET, "w", A), (A,), "REFUSED"),
        ("such a kind elsewhere", an(WIDGET, "w"), (A,), "STAY"),
        ("an object being deleted", an(MACHINE, "m", A, deleting=True), (A,), "REFUSED"),
        ("whose controller stays", an(CONFIG_MAP, "x", A, an(WIDGET, "w"), controller=True), (A,), "REFUSED"),
    ],
)
def test_what_moves(says: str, item: Item, others: tuple[Item, ...], verdict: str) -> None:
    found = verdict_on(item, *others)
    assert found.verdict == verdict, f"{says}: {found.reason}"


def test_a_template_that_a_class_only_refers_to() -> None:
    template = {"templateRef": {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "DevMachineTemplate"}}
    template["templateRef"]["name"] = "t"
    quick = an(CLASS, "quick", spec={"workers": {"machineDeployments": [{"infrastructure": template}]}})
    assert verdict_on(an(TEMPLATE, "t"), quick).verdict == "MOVE"


def test_a_class_of_another_namespace_that_others_use_is_copied_with_what_it_owns() -> None:
    options = Options(namespaces=("a",))
    shared = an(CLASS, "shared", namespace="classes")
    template = an(TEMPLATE, "t", shared, namespace="classes")
    mine = of_class("mine", "shared", "classes", namespace="a")
    others = of_class("theirs", "shared", "classes", namespace="b")
    found = judge(look(shared, template, mine, others, options=options), options)
    assert [found[item.key].verdict for item in (shared, template, mine, others)] == ["COPY", "COPY", "MOVE", "STAY"]


def test_a_class_in_the_namespace_that_others_use_too_is_copied() -> None:
    options = Options(namespaces=("a",))
    shared, mine = an(CLASS, "shared", namespace="a"), of_class("mine", "shared", namespace="a")
    others = of_class("theirs", "shared", "a", namespace="b")
    found = judge(look(shared, mine, others, options=options), options)
    assert [found[item.key].verdict for item in (shared, mine, others)] == ["COPY", "MOVE", "STAY"]


def test_secrets_in_the_namespace_of_an_infrastructure_provider() -> None:
    options = Options(namespaces=("a",))
    provider = an(PROVIDER, "dev", namespace="dev-system", type="InfrastructureProvider")
    owned = an(SECRET, "key", IDENTITY_ROOT, namespace="dev-system")
    labelled = an(SECRET, "settings", namespace="dev-system", labels=(MOVE_LABEL,))
    other = an(SECRET, "webhook-cert", namespace="dev-system")
    found = judge(look(provider, IDENTITY_ROOT, owned, labelled, other, options=options), options)
    assert [found[item.key].verdict for item in (owned, labelled, other)] == ["COPY", "MOVE", "STAY"]


def test_what_may_be_left_behind_by_name() -> None:
    lost = an(WIDGET, "w", A)
    options = Options(allow=frozenset({"Widget default/w"}))
    assert verdict_on(lost, A, options=options).verdict == "STAY"


def test_a_foreign_owner_that_controls_nothing_is_left_out() -> None:
    foreign = an(WIDGET, "w")
    found = verdict_on(an(CONFIG_MAP, "x", A, foreign), A, foreign)
    assert (found.verdict, found.dropped) == ("MOVE", (foreign.uid,))


def test_an_owner_that_is_gone_is_left_out() -> None:
    gone = cluster("gone")
    assert verdict_on(an(CONFIG_MAP, "x", A, gone), A).dropped == (gone.uid,)


@pytest.mark.parametrize(
    ("says", "other", "verdict"),
    [
        ("identical", an(SECRET, "a-ca", uid="x", data={"k": "1"}), "MOVE"),
        ("another", an(SECRET, "a-ca", uid="x", data={"k": "2"}), "REFUSED"),
        ("another by a label", an(SECRET, "a-ca", uid="x", data={"k": "1"}, labels=("l",)), "REFUSED"),
    ],
)
def test_an_object_of_the_same_name_in_the_target(says: str, other: Item, verdict: str) -> None:
    assert verdict_on(an(SECRET, "a-ca", data={"k": "1"}), A, target=(other,)).verdict == verdict, says


def test_an_identical_cluster_that_is_active_in_the_target_is_refused() -> None:
    assert verdict_on(A, target=(cluster("a", uid="x"),)).verdict == "REFUSED"
    assert verdict_on(A, target=(cluster("a", uid="x", spec={"paused": True}),)).verdict == "MOVE"


def test_an_identity_that_the_target_has_is_kept_as_it_is() -> None:
    other = an(IDENTITY, "account", uid="x", spec={"other": True})
    assert verdict_on(IDENTITY_ROOT, target=(other,)).verdict == "COPY"


def test_a_kind_that_the_target_lacks_or_serves_at_other_versions_only() -> None:
    lacking = tuple(kind for kind in KINDS if kind != MACHINE)
    machine = an(MACHINE, "m", A)
    found = judge(look(A, machine, target_kinds=lacking), Options())[machine.key]
    assert (found.verdict, "install its provider" in found.reason) == ("REFUSED", True)
    older = CLUSTER.at("v1beta1")
    older = type(older)(older.group, older.kind, "v1beta1", older.plural, True, ("v1beta1",), older.labels)
    found = judge(look(A, target_kinds=(*lacking, older)[::-1] and (older,)), Options())[A.key]
    assert (found.verdict, "serves v1beta1" in found.reason) == ("REFUSED", True)
