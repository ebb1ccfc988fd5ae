"""Templates: clusterctl's variables, and what an operator's own YAML must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrapper import config
from bootstrapper.config import ClusterRequest
from bootstrapper.errors import TemplateError
from bootstrapper.template import documents, render, substitute

VALUES = {"A": "abxab", "B": "xB", "EMPTY": "", "V": "v1.36.3"}

#: In, out; each seen with github.com/drone/envsubst v2 as clusterctl v1.14.2 calls it.
SUBSTITUTED = [
    ("${A}", "abxab"),
    ("${ A }", "abxab"),
    ("a${A}b${B}", "aabxabbxB"),
    ("${EMPTY}", ""),
    ("${NONE:=word}", "word"),
    ("${NONE=word}", "word"),
    ("${NONE:-word}", "word"),
    ("${EMPTY:=word}", "word"),
    ("${EMPTY=word}", "word"),
    ("${A:=word}", "abxab"),
    ('${NONE:=""}', '""'),
    ("${NONE:=a:b=c/d}", "a:b=c/d"),
    ("${NONE:=$$x}", "$$x"),
    ("${NONE:=a$b}", "a$b"),
    ("${NONE:=x-${B}-y}", "x-xB-y"),
    ("${NONE:=${NEITHER:=z}}", "z"),
    ("${NONE:=two\nlines}", "two\nlines"),
    ("${B^^} ${B,,} ${A^} ${B,}", "XB xb Abxab xB"),
    ("${#A}", "5"),
    ("${V:1} ${V:1:4} ${A:-2:1}", "1.36.3 1.36 abxab"),
    ("${V#v} ${V##v} ${A%ab} ${A%%b}", "1.36.3 1.36.3 abx abxa"),
    ("${A/ab/_} ${A//ab/_} ${A//ab/} ${A/#ab/_} ${A/%ab/_}", "_xab _x_ x _xab abx_"),
    ("${A/#x/_} ${A/%x/_}", "abxab abxab"),
    ("$${A} $$A $$", "${A} $A $"),
    ("$$$${A} $$${A}", "$${A} $abxab"),
    ("$A $(date) $ $1 $", "$A $(date) $ $1 $"),
    ("{A} }${A}{", "{A} }abxab{"),
]

NOT_UNDERSTOOD = [
    "${}",
    "${-x}",
    "${A-word}",
    "${A+word}",
    "${A:?word}",
    "${A:+word}",
    "${A[@]}",
    "${#A[@]}",
    "${!A}",
    "${A#*x}",
    "${A/x}",
    "${A",
    "${A:=word",
]


class TestVariables:
    @pytest.mark.parametrize(("text", "result"), SUBSTITUTED)
    def test_what_clusterctl_makes_of_it(self, text: str, result: str) -> None:
        assert substitute(text, VALUES, "t.yaml") == result

    @pytest.mark.parametrize("text", NOT_UNDERSTOOD)
    def test_what_is_not_understood_is_named_with_its_line(self, text: str) -> None:
        with pytest.raises(TemplateError) as caught:
            substitute(f"ok: 1\nscript: {text}", VALUES, "t.yaml")
        assert caught.value.what == f"t.yaml:2: {text} isn't understood"
        assert caught.value.exit_code == 22
        assert "$${...}" in caught.value.hint

    def test_one_missing_variable(self) -> None:
        with pytest.raises(TemplateError) as caught:
            substitute("a: 1\nb: ${NONE}\n", VALUES, "t.yaml")
        assert caught.value.what == "t.yaml:2: variable NONE has no value"

    def test_all_missing_variables_at_once(self) -> None:
        text = "a: ${X}\nb: ${Y:=}\nc: ${X}\nd: ${Z:=${W}}\ne: ${A:=${UNUSED}}\nf: ${Q^^}"
        with pytest.raises(TemplateError) as caught:
            substitute(text, VALUES, "t.yaml")
        assert caught.value.what == "t.yaml:1: 4 variables have no value"
        assert caught.value.why == "Q (line 6), W (line 4), X (line 1, 3), Y (line 2)"

    @given(st.text())
    def test_text_without_dollars_is_left_alone(self, text: str) -> None:
        kept = text.replace("$", "")
        assert substitute(kept, {}, "t") == kept

    @given(st.text(), st.text(alphabet="ab $${}\n"))
    def test_a_value_is_not_read_again(self, around: str, value: str) -> None:
        frame = around.replace("$", "")
        assert substitute(f"{frame}${{A}}{frame}", {"A": value}, "t") == frame + value + frame


class TestDocuments:
    def test_objects_in_order_without_the_empty_ones(self) -> None:
        text = "---\n# nothing\n---\n" + "---\n".join(an_object(name) for name in ("a", "b")) + "---\n"
        assert [item["metadata"]["name"] for item in documents(text, "t.yaml")] == ["a", "b"]

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            ("2026-01-31", "2026-01-31"),
            ("8080:59", "8080:59"),
            ("1.36.3", "1.36.3"),
            ("0644", 0o644),
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("true", True),
            ("null", None),
            ("=", "="),
            ('"0644"', "0644"),
        ],
    )
    def test_values_are_what_kubernetes_makes_of_them(self, value: str, kept: object) -> None:
        assert documents(an_object("a") + f"data: {{x: {value}}}\n", "t")[0]["data"] == {"x": kept}

    def test_merge_keys(self) -> None:
        text = an_object("a") + "base: &b {x: 1, y: 2}\ndata: {<<: *b, y: 3}\n"
        assert documents(text, "t")[0]["data"] == {"x": 1, "y": 3}
        two = an_object("a") + "one: &one {x: 1}\ntwo: &two {x: 2, y: 2}\ndata: {<<: [*one, *two]}\n"
        assert documents(two, "t")[0]["data"] == {"x": 1, "y": 2}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("- a\n", "t.yaml:1: not a Kubernetes object: a mapping with apiVersion, kind, metadata.name"),
            ("kind: A\nmetadata: {name: a}\n", "t.yaml:1: not a Kubernetes object: apiVersion is missing"),
            ("apiVersion: v1\nkind: A\n", "t.yaml:1: not a Kubernetes object: metadata.name is missing"),
            ("apiVersion: v1\nkind: A\nmetadata: {name: 12}\n",
             "t.yaml:3: not a Kubernetes object: metadata.name is 12, not text (quote it)"),
            ("apiVersion: v1\nkind: A\nkind: A\nmetadata: {name: a}\n", "t.yaml:3: key 'kind' stands there twice"),
            ("a: b: c\n", "t.yaml:1: mapping values are not allowed here"),
        ],
    )  # fmt: skip
    def test_what_is_no_object(self, text: str, said: str) -> None:
        with pytest.raises(TemplateError) as caught:
            documents(text, "t.yaml")
        assert caught.value.what == said

    def test_all_findings_at_once(self) -> None:
        with pytest.raises(TemplateError) as caught:
            documents("kind: A\n---\nkind: B\nmetadata: {name: b}\n", "t.yaml")
        assert caught.value.what == "t.yaml: 3 findings"
        assert [line.partition(" ")[0] for line in caught.value.why.splitlines()[1:]] == [
            "t.yaml:1:",
            "t.yaml:1:",
            "t.yaml:3:",
        ]


def an_object(name: str, kind: str = "ConfigMap", api: str = "v1", more: str = "") -> str:
    return f'apiVersion: {api}\nkind: {kind}\nmetadata: {{name: "{name}"{more}}}\n'


def a_cluster(name: str = "${CLUSTER_NAME}", more: str = "") -> str:
    return an_object(name, "Cluster", "cluster.x-k8s.io/v1beta2", more)


class TestOwnTemplate:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Any:
        def rendered(text: str, environment: dict[str, str] | None = None, variables: str = "{}") -> Any:
            (tmp_path / "own.yaml").write_text(text)
            return render(self.asked(tmp_path, variables), environment or {})

        return rendered

    @staticmethod
    def asked(folder: Path, variables: str) -> ClusterRequest:
        text = f"""apiVersion: bootstrapper/v1alpha1
kind: ManagementCluster
metadata: {{name: prod, namespace: clusters}}
spec:
  kubernetesVersion: v1.36.3
  infrastructure: {{provider: metal3}}
  controlPlane: {{replicas: 3}}
  workers: [{{name: a, replicas: 2}}, {{name: b, replicas: 3}}]
  template: own.yaml
  variables: {variables}
"""
        return config.parse(text, str(folder / "mgmt.yaml"))

    def test_the_standard_variables(self, own: Any) -> None:
        named = ("CLUSTER_NAME", "NAMESPACE", "KUBERNETES_VERSION", "CONTROL_PLANE_MACHINE_COUNT")
        more = ("WORKER_MACHINE_COUNT", "POD_CIDR", "SERVICE_CIDR")
        data = "spec: [" + ", ".join(f"${{{name}}}" for name in (*named, *more)) + "]\n"
        assert own(a_cluster() + data)[0]["spec"] == [
            "prod",
            "clusters",
            "v1.36.3",
            3,
            5,
            "10.245.0.0/16",
            "10.128.0.0/16",
        ]

    def test_the_config_wins_over_the_environment_and_both_over_the_default(self, own: Any) -> None:
        text = a_cluster() + "spec: [${ONE:=default}, ${TWO:=default}, ${THREE:=default}]\n"
        objects = own(text, {"ONE": "env", "TWO": "env", "OTHER": "env"}, "{ONE: config}")
        assert objects[0]["spec"] == ["config", "env", "default"]

    def test_a_variable_inside_a_default_comes_from_the_environment_too(self, own: Any) -> None:
        assert own(a_cluster() + "spec: ${ONE:=in-${TWO}}\n", {"TWO": "env"})[0]["spec"] == "in-env"

    def test_the_environment_can_not_rename_the_cluster(self, own: Any) -> None:
        assert own(a_cluster(), {"CLUSTER_NAME": "other"})[0]["metadata"]["name"] == "prod"

    def test_every_object_gets_the_namespace(self, own: Any) -> None:
        text = "---\n".join([a_cluster(), an_object("s", more=", namespace: clusters"), an_object("n", "Namespace")])
        assert [item["metadata"].get("namespace") for item in own(text)] == ["clusters", "clusters", None]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (an_object("a"), "it has no Cluster of cluster.x-k8s.io, not exactly one"),
            (an_object("prod", "Cluster", "example.org/v1"), "it has no Cluster of cluster.x-k8s.io, not exactly one"),
            (a_cluster("a") + "---\n" + a_cluster("b"),
             "it has 2 Clusters (a, b) of cluster.x-k8s.io, not exactly one"),
            (a_cluster("other"), "its Cluster is named other, the request is for prod: write ${CLUSTER_NAME}"),
            (a_cluster() + "---\n" + an_object("s", "Secret", more=", namespace: default"),
             "Secret s is in namespace default, the cluster in clusters: write ${NAMESPACE}"),
            (a_cluster() + "---\n" + an_object("s") + "---\n" + an_object("s"), "ConfigMap s stands there twice"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, own: Any, text: str, said: str) -> None:
        with pytest.raises(TemplateError) as caught:
            own(text)
        assert caught.value.what.endswith(f"own.yaml: {said}")

    def test_a_variable_that_the_template_does_not_have(self, own: Any) -> None:
        with pytest.raises(TemplateError, match="no variable NODE_IMGE; did you mean 'NODE_IMAGE'"):
            own(a_cluster() + "spec: ${NODE_IMAGE:=x}\n", variables="{NODE_IMGE: y}")

    def test_a_value_that_breaks_the_yaml_is_not_shown(self, own: Any) -> None:
        with pytest.raises(TemplateError) as caught:
            own(a_cluster() + "spec: ${TOKEN}\n", {"TOKEN": "x: hunter2: z"})
        assert "own.yaml:4: mapping values are not allowed here" in caught.value.what
        assert "quote a variable" in caught.value.hint
        assert "hunter2" not in str(caught.value) + caught.value.hint
