"""Tar layers whose bytes depend on nothing but the tree: sorted, one time for all, owners by number.

Kept: mode, numeric owner, symbolic and hard links, devices, extended attributes (as PAX `SCHILY.xattr.*`, as
containerd, docker and GNU tar write them: file capabilities are such). Dropped: names of owners, times,
sockets.
"""

from __future__ import annotations

import os
import stat
import tarfile
from typing import TYPE_CHECKING

from bootstrapper.adapters.layout_writer import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


def layer_from_tree(root: Path, target: Path, keep: Callable[[str], bool] = lambda _: True) -> Path:
    """Everything below `root` as an uncompressed tar in `target`. `keep` gets each path relative to root,
    no leading slash; what it refuses is left out, for a folder with all below it."""
    first: dict[tuple[int, int], str] = {}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in _walk(root, "", keep):
            _add(tar, root, path, first)
    return target


def layer_from_files(files: Mapping[str, Path], target: Path) -> Path:
    """These files (path in the layer, without a leading slash -> file here) with the folders above them,
    root's, 0755 when executable, else 0644."""
    folders = {"/".join(p.split("/")[:i]) for p in files for i in range(1, p.count("/") + 1)}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted({*folders, *files}):
            info = tarfile.TarInfo(path)
            info.mtime = EPOCH
            if path not in files:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
                continue
            status = files[path].stat()
            info.size = status.st_size
            info.mode = 0o755 if status.st_mode & 0o100 else 0o644
            with files[path].open("rb") as f:
                tar.addfile(info, f)
    return target


def _walk(root: Path, below: str, keep: Callable[[str], bool]) -> Iterator[str]:
    with os.scandir(root / below) as found:
        entries = sorted(found, key=lambda e: e.name)
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if keep(path):
            yield path
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, path, keep)


def _add(tar: tarfile.TarFile, root: Path, path: str, first: dict[tuple[int, int], str]) -> None:
    here = root / path
    status = here.lstat()
    if stat.S_ISSOCK(status.st_mode):
        return
    info = _info(here, path, status)
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        other = first.setdefault((status.st_dev, status.st_ino), path)
        if other != path:
            info.type, info.linkname, info.size = tarfile.LNKTYPE, other, 0
    if info.type == tarfile.REGTYPE:
        with here.open("rb") as f:
            tar.addfile(info, f)
    else:
        tar.addfile(info)


def _info(here: Path, path: str, status: os.stat_result) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    info.mtime = EPOCH
    for test, kind in _TYPES:
        if test(status.st_mode):
            info.type = kind
    if info.type == tarfile.REGTYPE:
        info.size = status.st_size
    elif info.type == tarfile.SYMTYPE:
        info.linkname = os.readlink(here)
    elif info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    info.pax_headers = _xattrs(here)
    return info


def _xattrs(here: Path) -> dict[str, str]:
    # PAX headers are text, xattrs are bytes: tarfile writes surrogates back as the bytes they stand for.
    return {
        "SCHILY.xattr." + name: os.getxattr(here, name, follow_symlinks=False).decode("utf-8", "surrogateescape")
        for name in sorted(os.listxattr(here, follow_symlinks=False))
    }


_TYPES = (
    (stat.S_ISREG, tarfile.REGTYPE),
    (stat.S_ISDIR, tarfile.DIRTYPE),
    (stat.S_ISLNK, tarfile.SYMTYPE),
    (stat.S_ISCHR, tarfile.CHRTYPE),
    (stat.S_ISBLK, tarfile.BLKTYPE),
    (stat.S_ISFIFO, tarfile.FIFOTYPE),
)
