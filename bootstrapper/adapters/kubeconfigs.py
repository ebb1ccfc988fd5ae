"""Kubeconfig files of the operator's: read as they are, never written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bootstrapper.errors import ConfigError

#: The keys of a cluster or a user that name a file, relative to the kubeconfig's folder (Kubernetes: "Organizing
#: Cluster Access Using kubeconfig Files", "File references").
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def read(path: Path) -> str:
    """A kubeconfig's text that means the same from any folder: the files it names are named absolutely.

    Raises:
        ConfigError: it can't be read, or is no YAML mapping.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read", error.strerror or str(error), "Name another kubeconfig.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no kubeconfig", _one_line(error), "Name another kubeconfig.") from None
    if not isinstance(config, dict) or not config.get("clusters"):
        raise ConfigError(f"{path} is no kubeconfig", "it has no clusters", "Name another kubeconfig.")
    for part in ("cluster", "user"):
        for entry in config.get(f"{part}s") or []:
            _absolute(entry.get(part) or {}, path.parent.absolute())
    return yaml.safe_dump(config)


def _absolute(described: dict[str, Any], folder: Path) -> None:
    for key in FILES:
        if described.get(key):
            described[key] = str(folder / described[key])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
