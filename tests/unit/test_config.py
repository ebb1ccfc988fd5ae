"""The request: what a config file and a command line become, and how a mistake reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bootstrapper import config
from bootstrapper.config import Bootstrap, ControlPlane, Infrastructure, Network, Provider, WorkerPool
from bootstrapper.errors import ConfigError
from bootstrapper.manifests import versions
from bootstrapper.schema import SCHEMA, with_defaults

HEAD = "apiVersion: bootstrapper/v1alpha1\nkind: ManagementCluster\n"


def asked(spec: str = "", metadata: str = "") -> str:
    """A config file's text: line 3 is `metadata`, line 4 the first of `spec`."""
    return f"{HEAD}metadata: {{{metadata}}}\n" + (f"spec: {spec}\n" if spec else "")


def refusal(text: str, source: str = "mgmt.yaml") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, source)
    assert caught.value.exit_code == 21
    return caught.value


class TestWhatIsRead:
    def test_without_a_file_it_is_one_docker_control_plane_named_mgmt(self) -> None:
        request = config.load(None)
        assert (request.name, request.namespace) == ("mgmt", "default")
        assert request.kubernetes_version == versions()["kubernetes"]
        assert request.bootstrap == Bootstrap("kind", None)
        assert request.infrastructure == Infrastructure("docker")
        assert request.control_plane == ControlPlane(1)
        assert request.workers == ()
        assert request.network == Network("10.245.0.0/16", "10.128.0.0/16", None)
        assert (request.template, request.bundle, request.variables) == (None, None, {})
        assert [(p.type, p.name, p.version) for p in request.providers] == [
            ("core", "cluster-api", None),
            ("bootstrap", "kubeadm", None),
            ("control-plane", "kubeadm", None),
            ("infrastructure", "docker", None),
        ]

    def test_every_key(self, tmp_path: Path) -> None:
        for name in ("kubeconfig", "cni.yaml", "cluster.yaml"):
            (tmp_path / name).write_text("x")
        (tmp_path / "bundle").mkdir()
        file = tmp_path / "mgmt.yaml"
        file.write_text(
            f"""{HEAD}metadata: {{name: prod, namespace: clusters}}
spec:
  kubernetesVersion: v1.35.2
  bootstrap: {{backend: existing, kubeconfig: ./kubeconfig}}
  infrastructure: {{provider: "metal3:v1.9.0"}}
  controlPlane: {{replicas: 3}}
  workers: [{{name: md-0, replicas: 2}}, {{name: gpu}}]
  network: {{pods: 10.1.0.0/16, services: 10.2.0.0/20, cni: cni.yaml}}
  template: ./cluster.yaml
  variables: {{IMAGE: node.qcow2, MTU: 1400, BOND: true, DAY: 2026-01-31, PORTS: 80:30}}
  components: {{bundle: ./bundle, providers: {{core: "cluster-api:v1.14.2", bootstrap: k3s, controlPlane: k3s}}}}
"""
        )
        request = config.load(file)
        assert (request.name, request.namespace, request.kubernetes_version) == ("prod", "clusters", "v1.35.2")
        assert request.bootstrap == Bootstrap("existing", tmp_path / "kubeconfig")
        assert request.infrastructure == Infrastructure("metal3")
        assert request.workers == (WorkerPool("md-0", 2), WorkerPool("gpu", 1))
        assert request.network == Network("10.1.0.0/16", "10.2.0.0/20", tmp_path / "cni.yaml")
        assert request.template == tmp_path / "cluster.yaml"
        assert request.variables == {
            "IMAGE": "node.qcow2",
            "MTU": "1400",
            "BOND": "true",
            "DAY": "2026-01-31",
            "PORTS": "80:30",
        }
        assert request.bundle == tmp_path / "bundle"
        assert request.providers == (
            Provider("core", "cluster-api", "v1.14.2"),
            Provider("bootstrap", "k3s", None),
            Provider("control-plane", "k3s", None),
            Provider("infrastructure", "metal3", "v1.9.0"),
        )
        assert request.source == str(file)

    def test_the_first_supported_version_is_the_default(self) -> None:
        assert config.load(None, ["v1.36.9", "v1.35.1"]).kubernetes_version == "v1.36.9"

    def test_a_request_can_not_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            config.load(None).name = "other"  # type: ignore[misc]

    def test_the_managers_always_have_a_machine(self) -> None:
        assert config.load(None).shares_control_plane
        assert config.parse(asked("{workers: [{name: md-0}]}"), "f").shares_control_plane
        assert config.workload("c1").shares_control_plane
        assert not config.workload("c1", workers=1).shares_control_plane


#: What is wrong, the file, and what is said.
SLIPS = [
    ("unknown key", asked("{controlPlane: {replcas: 3}}"),
     "4: unknown key 'replcas' in spec.controlPlane; did you mean 'replicas'?"),
    ("unknown key, other case", asked("{kubernetesversion: v1.36.3}"),
     "4: unknown key 'kubernetesversion' in spec; did you mean 'kubernetesVersion'?"),
    ("unknown key, nothing near", asked("{bootstrap: {zzz: 1}}"),
     "4: unknown key 'zzz' in spec.bootstrap; known: backend, kubeconfig"),
    ("unknown key at the top", HEAD + "sepc: {}\n", "3: unknown key 'sepc' in the request; did you mean 'spec'?"),
    ("API version", asked().replace("v1alpha1", "v1alpha2"),
     "1: apiVersion: 'bootstrapper/v1alpha2' is not an API version; did you mean 'bootstrapper/v1alpha1'?"),
    ("kind", asked().replace("ManagementCluster", "Cluster"),
     "2: kind: 'Cluster' is not a kind; known: ManagementCluster"),
    ("no kind", "apiVersion: bootstrapper/v1alpha1\n", "1: the request lacks 'kind'"),
    ("version without v", asked("{kubernetesVersion: 1.36.3}"),
     "4: spec.kubernetesVersion: '1.36.3' is not a version of the form vX.Y.Z, such as v1.36.3"),
    ("version as a number", asked("{kubernetesVersion: 1.36}"),
     "4: spec.kubernetesVersion: 1.36 is not a version of the form vX.Y.Z, such as v1.36.3"),
    ("even control plane", asked("{controlPlane: {replicas: 2}}"),
     "4: spec.controlPlane.replicas: 2 is not 1, 3 or 5 (etcd needs a majority: an even number adds a machine and "
     "no safety)"),
    ("yes is not a number", asked("{controlPlane: {replicas: yes}}"),
     "4: spec.controlPlane.replicas: true is not 1, 3 or 5 (etcd needs a majority: an even number adds a machine "
     "and no safety)"),
    ("name no label", asked(metadata="name: My_Cluster"),
     "3: metadata.name: 'My_Cluster' is not a DNS label (a-z, 0-9 and '-', a letter or digit at both ends, "
     "at most 63), such as mgmt"),
    ("name with a line's end", asked(metadata='name: "mgmt\\n"'),
     "3: metadata.name: 'mgmt\\n' is not a DNS label (a-z, 0-9 and '-', a letter or digit at both ends, "
     "at most 63), such as mgmt"),
    ("name too long for the bootstrap node", asked(metadata=f"name: {'a' * 40}"),
     f"3: metadata.name: '{'a' * 40}' has 40 characters, at most 39 fit "
     f"({'a' * 40}-bootstrap-control-plane would pass 63 characters)"),
    ("pool without a name", asked("{workers: [{replicas: 1}]}"), "4: spec.workers[0] lacks 'name'"),
    ("two pools of one name", asked("\n  workers:\n  - name: md-0\n  - name: md-0"),
     "7: spec.workers[1].name: a worker pool named 'md-0' is there already"),
    ("pool like the control plane", asked("{workers: [{name: control-plane}]}"),
     "4: spec.workers[0].name: 'control-plane' is the name of the control plane's own objects"),
    ("pool's name too long", asked(f"{{workers: [{{name: {'p' * 47}}}]}}"),
     f"4: spec.workers[0].name: '{'p' * 47}' has 47 characters, at most 46 fit "
     f"(machines are named mgmt-{'p' * 47}-xxxxx-xxxxx)"),
    ("pool smaller than nothing", asked("{workers: [{name: md-0, replicas: -1}]}"),
     "4: spec.workers[0].replicas: -1 is not a number of machines from 0 to 1000, such as 1"),
    ("overlapping ranges", asked("{network: {pods: 10.0.0.0/8, services: 10.128.0.0/16}}"),
     "4: spec.network.services: 10.128.0.0/16 overlaps the pods' range 10.0.0.0/8"),
    ("pods overlap the default services", asked("{network: {pods: 10.128.0.0/16}}"),
     "4: spec.network.services: 10.128.0.0/16 overlaps the pods' range 10.128.0.0/16"),
    ("an address in a range", asked("{network: {pods: 10.1.2.3/16}}"),
     "4: spec.network.pods: '10.1.2.3/16' is an address inside a range; the range is 10.1.0.0/16"),
    ("no range", asked("{network: {services: 10.300.0.0/16}}"),
     "4: spec.network.services: '10.300.0.0/16' is not an IPv4 range"),
    ("pods too small", asked("{workers: [{name: md-0, replicas: 5}], network: {pods: 10.1.0.0/22}}"),
     "4: spec.network.pods: 10.1.0.0/22 is too small: it has 4 ranges of /24, 8 machines during an upgrade need 8"),
    ("pods smaller than one machine's", asked("{network: {pods: 10.1.0.0/25}}"),
     "4: spec.network.pods: 10.1.0.0/25 is too small: it has 0 ranges of /24, 2 machines during an upgrade need 2"),
    ("pods too large", asked("{network: {pods: 0.0.0.0/7, services: 172.30.0.0/16}}"),
     "4: spec.network.pods: 0.0.0.0/7 is too large: kubeadm allows /8 at most"),
    ("services too small", asked("{network: {services: 10.9.0.0/29}}"),
     "4: spec.network.services: 10.9.0.0/29 is too small: kubeadm allows /12 to /28"),
    ("services too large", asked("{network: {services: 11.0.0.0/8}}"),
     "4: spec.network.services: 11.0.0.0/8 is too large: kubeadm allows /12 to /28"),
    ("unknown backend", asked("{bootstrap: {backend: knd}}"),
     "4: spec.bootstrap.backend: 'knd' is not a bootstrap backend; did you mean 'kind'?"),
    ("existing without a kubeconfig", asked("{bootstrap: {backend: existing}}"),
     "4: spec.bootstrap: backend existing needs 'kubeconfig', the path to that cluster's kubeconfig"),
    ("kind with a kubeconfig", asked("{bootstrap: {kubeconfig: /dev/null/x}}"),
     "4: spec.bootstrap.kubeconfig: only backend existing has one, this is kind"),
    ("no template for the provider", asked("{infrastructure: {provider: aws}}"),
     "4: spec.infrastructure.provider: no built-in template for 'aws' (there is: docker); give yours as "
     "spec.template"),
    ("a variable that the program sets", asked("{variables: {CLUSTER_NAME: x}}"),
     "4: spec.variables.CLUSTER_NAME: this variable is set by metadata.name"),
    ("a variable's name", asked("{variables: {my-var: x}}"),
     "4: 'my-var' is not a variable's name (letters, digits, '_')"),
    ("a variable's value", asked("{variables: {A: [secret]}}"),
     "4: spec.variables.A: a list is not text, a number or a boolean"),
    ("empty spec", HEAD + "spec:\n", "3: spec: nothing is not a mapping"),
    ("a list", "- a\n", "1: the request: a list is not a management cluster"),
    ("the same key twice", asked("{kubernetesVersion: v1.36.3}") + "spec: {}\n", "5: key 'spec' stands there twice"),
    ("empty file", "# nothing\n", "1: the file is empty"),
    ("two requests", asked() + "---\n" + asked(), "5: a second request; a file has one"),
    ("a tab", HEAD + "metadata:\n\tname: mgmt\n", "4: a tab where YAML wants spaces"),
    ("not YAML", HEAD + "spec: [\n", "4: expected the node content, but found '<stream end>' "
     "(while parsing a flow node)"),
    ("an alias of itself", HEAD + "spec: &x {spec: *x}\n", "3: an alias that contains itself"),
    ("a control character", HEAD + 'spec: "\x07"\n', "1: unacceptable character #x0007: special characters are not "
     "allowed"),
]  # fmt: skip


class TestSlips:
    @pytest.mark.parametrize(("text", "said"), [slip[1:] for slip in SLIPS], ids=[slip[0] for slip in SLIPS])
    def test_one_slip_gives_one_sentence_with_its_line(self, text: str, said: str) -> None:
        problem = refusal(text)
        findings = [line for line in (problem.why.splitlines()[1:] or [problem.what]) if "there is no file" not in line]
        assert findings == [f"mgmt.yaml:{said}"]

    def test_all_slips_at_once_by_line(self) -> None:
        problem = refusal(
            f"""{HEAD}metadata: {{name: UP}}
spec:
  controlPlane: {{replicas: 4, replcas: 1}}
  network:
    pods: 10.0.0.0/8
    services: 10.1.0.0/16
  infrastructure: {{provider: aws}}
  kubernetesVersion: latest
"""
        )
        assert problem.what == "mgmt.yaml:3: 6 findings"
        assert [line.split(" ")[0] for line in problem.why.splitlines()[1:]] == [
            f"mgmt.yaml:{line}:" for line in (3, 5, 5, 8, 9, 10)
        ]
        assert "bootstrapper schema" in problem.hint

    def test_paths_count_from_the_file_and_must_be_there(self, tmp_path: Path) -> None:
        text = asked("{template: t.yaml, network: {cni: n.yaml}, components: {bundle: b}}")
        (tmp_path / "n.yaml").mkdir()
        problem = refusal(text, str(tmp_path / "mgmt.yaml"))
        assert problem.why.splitlines()[1:] == [
            f"{tmp_path}/mgmt.yaml:4: spec.components.bundle: there is no folder {tmp_path}/b",
            f"{tmp_path}/mgmt.yaml:4: spec.network.cni: there is no file {tmp_path}/n.yaml",
            f"{tmp_path}/mgmt.yaml:4: spec.template: there is no file {tmp_path}/t.yaml",
        ]

    def test_a_file_that_can_not_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="No such file"):
            config.load(tmp_path / "absent.yaml")
        (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe4\n")
        with pytest.raises(ConfigError, match=r"latin.yaml:2: not UTF-8 text"):
            config.load(tmp_path / "latin.yaml")

    def test_an_own_template_frees_the_provider(self, tmp_path: Path) -> None:
        (tmp_path / "t.yaml").write_text("x")
        text = asked("{infrastructure: {provider: aws}, template: t.yaml}")
        assert config.parse(text, str(tmp_path / "mgmt.yaml")).infrastructure == Infrastructure("aws")


class TestWorkloadClusters:
    def test_the_same_fields(self, tmp_path: Path) -> None:
        own = tmp_path / "own.yaml"
        own.write_text("x")
        request = config.workload(
            "c1", namespace="team", kubernetes_version="v1.35.0", control_plane=3, workers=4, template=own
        )
        assert (request.name, request.namespace, request.kubernetes_version) == ("c1", "team", "v1.35.0")
        assert (request.control_plane, request.workers) == (ControlPlane(3), (WorkerPool("md-0", 4),))
        assert (request.template, request.source) == (own, "cluster create c1")

    def test_no_workers_no_pool(self) -> None:
        assert config.workload("c1").workers == ()

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"name": "C1"}, "NAME: 'C1' is not a DNS label"),
            ({"name": "c" * 44}, "at most 43 fit"),
            ({"name": "c1", "control_plane": 2}, "--control-plane: 2 is not 1, 3 or 5"),
            ({"name": "c1", "workers": -1}, "--workers: -1 is not a number of machines"),
            ({"name": "c1", "kubernetes_version": "1.36.3"}, "--kubernetes-version: '1.36.3' is not a version"),
            ({"name": "c1", "namespace": "a.b"}, "--namespace: 'a.b' is not a DNS label"),
            ({"name": "c1", "template": Path("/nowhere.yaml")}, "-f: there is no file /nowhere.yaml"),
        ],
    )  # fmt: skip
    def test_a_mistake_names_the_option(self, options: dict[str, object], said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            config.workload(**options)  # type: ignore[arg-type]
        assert said in caught.value.what

    def test_all_mistakes_at_once(self) -> None:
        with pytest.raises(ConfigError) as caught:
            config.workload("C1", control_plane=2, workers=-3)
        assert caught.value.what == "cluster C1: 3 findings"
        assert len(caught.value.why.splitlines()[1:]) == 3


class TestVersions:
    def test_one_that_is_there(self) -> None:
        config.check_version(config.load(None, ["v1.36.3"]), ["v1.35.0", "v1.36.3"])

    def test_one_that_the_bundle_lacks(self) -> None:
        with pytest.raises(ConfigError) as caught:
            config.check_version(config.workload("c1", kubernetes_version="v1.30.0"), ["v1.35.0", "v1.36.3"])
        assert str(caught.value) == (
            "cluster create c1: Kubernetes v1.30.0 isn't in the bundle: it has v1.35.0, v1.36.3"
        )


class TestSchema:
    def test_it_is_a_schema(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)

    def test_its_own_defaults_fit_it(self) -> None:
        full = with_defaults({"apiVersion": "bootstrapper/v1alpha1", "kind": "ManagementCluster"})
        assert list(Draft202012Validator(SCHEMA).iter_errors(full)) == []
        assert full["spec"]["network"]["pods"] == "10.245.0.0/16"

    def test_every_key_says_what_it_is(self) -> None:
        def undescribed(schema: dict[str, object], at: str) -> list[str]:
            subs = schema.get("properties", {})
            assert isinstance(subs, dict)
            found = [f"{at}.{key}" for key, sub in subs.items() if not sub.get("description")]
            return found + [line for key, sub in subs.items() for line in undescribed(sub, f"{at}.{key}")]

        assert undescribed(SCHEMA, "") == []
