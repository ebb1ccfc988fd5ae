"""The pure parts of the recipes: go.mod, images in manifests, kubeadm's list, tar layers."""

from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from hack.components.go_groups import GROUPS, disagreement, go_mod, ldflags, staging
from hack.components.go_parts import MODULES, purl
from hack.components.kubernetes_images import image_names
from hack.components.providers import released
from hack.components.recipes import parts, versions
from hack.components.schedule import ordered
from hack.components.tarball import layer_from_files, layer_from_tree

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES = next(g for g in GROUPS if g.name == "kubernetes")
CAPI = next(g for g in GROUPS if g.name == "cluster-api")
VERSIONS = {"kubernetes": "v1.36.3", "cluster-api": "v1.14.2"}


def test_all_parts_fit_together_and_go_mod_agrees_with_versions() -> None:
    names = [p.name for p in ordered(parts())]
    assert len(names) == len(set(names))
    for group in GROUPS:
        assert disagreement(group, versions(), (MODULES / group.name / "go.mod").read_text()) == ""


def test_staging_takes_only_exactly_v0_0_0() -> None:
    text = "require (\n\tk8s.io/api v0.0.0\n\tk8s.io/gengo v0.0.0-2025\n\tk8s.io/klog/v2 v2.1.0\n)\n"
    assert staging(text) == ["k8s.io/api"]


def test_go_mod_replaces_staged_modules_by_their_released_version() -> None:
    text = go_mod(KUBERNETES, VERSIONS, ["k8s.io/api"])
    assert "\tk8s.io/api => k8s.io/api v0.36.3\n" in text
    assert "\tk8s.io/kubernetes v1.36.3\n" in text
    assert "\tk8s.io/kubernetes/cmd/kubeadm\n" in text


def test_a_go_mod_of_another_version_is_told() -> None:
    text = go_mod(CAPI, VERSIONS, [])
    assert disagreement(CAPI, VERSIONS, text) == ""
    newer = {**VERSIONS, "cluster-api": "v1.14.3"}
    assert "is v1.14.2 there, v1.14.3 in versions.yaml" in disagreement(CAPI, newer, text)
    assert "absent" in disagreement(CAPI, VERSIONS, "module x\n")


def test_ldflags_stamp_the_version_and_leave_no_build_id() -> None:
    flags = ldflags(KUBERNETES, "v1.36.3")
    assert "-buildid= " in flags
    assert "version.gitVersion=v1.36.3" in flags
    assert "version.gitMinor=36" in flags


def test_package_urls_name_the_innermost_module() -> None:
    assert purl(CAPI, "v1", "sigs.k8s.io/cluster-api/test/infrastructure/docker") == (
        "pkg:golang/sigs.k8s.io/cluster-api/test@v1#infrastructure/docker"
    )
    etcd = next(g for g in GROUPS if g.name == "etcd")
    assert purl(etcd, "v3", "go.etcd.io/etcd/server/v3") == "pkg:golang/go.etcd.io/etcd/server/v3@v3"


MANIFEST = """\
          image:
            description: an image
        - --feature-gates=MachinePool=${EXP_MACHINE_POOL:=true}
        image: example/team/controller:main
        imagePullPolicy: Always
"""


def test_the_manager_image_gets_the_version_and_the_rest_stays() -> None:
    text, image = released(MANIFEST, "v1.2.3")
    assert image == "example/team/controller:v1.2.3"
    wanted = MANIFEST.replace(":main", ":v1.2.3").replace("Always", "IfNotPresent")
    assert text == wanted


def test_a_manifest_with_no_or_two_images_is_refused() -> None:
    with pytest.raises(ValueError, match="0 images"):
        released("kind: Namespace\n", "v1")
    with pytest.raises(ValueError, match="2 images"):
        released(MANIFEST + "        image: example/proxy:v1\n", "v1")


def test_kubeadms_list_by_short_name() -> None:
    found = image_names(b"example/kube-proxy:v1.36.3\nexample/coredns/coredns:v1.14.2\n")
    assert found == {"kube-proxy": "example/kube-proxy:v1.36.3", "coredns": "example/coredns/coredns:v1.14.2"}


def a_tree(root: Path) -> Path:
    (root / "b").mkdir(parents=True)
    (root / "b" / "file").write_text("x")
    (root / "b" / "file").chmod(0o4755)
    os.link(root / "b" / "file", root / "b" / "hard")
    (root / "b" / "soft").symlink_to("file")
    (root / "a").write_text("a")
    (root / "dropped").mkdir()
    (root / "dropped" / "x").write_text("x")
    return root


def test_a_tree_gives_the_same_bytes_whatever_its_times(tmp_path: Path) -> None:
    digests = set()
    for name, age in (("one", 0), ("two", 12345)):
        root = a_tree(tmp_path / name)
        os.utime(root / "a", (age, age))
        layer = layer_from_tree(root, tmp_path / f"{name}.tar", lambda p: p != "dropped")
        digests.add(hashlib.sha256(layer.read_bytes()).hexdigest())
    assert len(digests) == 1
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert tar.getnames() == ["a", "b", "b/file", "b/hard", "b/soft"]
        assert tar.getmember("b/file").mode == 0o4755
        assert tar.getmember("b/hard").islnk()
        assert tar.getmember("b/soft").linkname == "file"


def test_extended_attributes_are_kept_as_bytes(tmp_path: Path) -> None:
    value = b"\x01\xff\x00v"
    root = a_tree(tmp_path / "root")
    os.setxattr(root / "a", "user.capability", value)
    with tarfile.open(layer_from_tree(root, tmp_path / "layer.tar")) as tar:
        found = tar.getmember("a").pax_headers["SCHILY.xattr.user.capability"]
    assert found.encode("utf-8", "surrogateescape") == value


def test_files_get_their_folders_and_executables_stay_so(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("x")
    tool.chmod(0o700)
    layer = layer_from_files({"usr/local/bin/tool": tool}, tmp_path / "layer.tar")
    with tarfile.open(layer) as tar:
        assert tar.getnames() == ["usr", "usr/local", "usr/local/bin", "usr/local/bin/tool"]
        assert tar.getmember("usr/local/bin/tool").mode == 0o755
        assert tar.getmember("usr").mode == 0o755
