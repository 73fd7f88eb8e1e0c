"""The binaries of a stack and of the chart's checks, and the Go modules that pin their versions.

The versions are read from `hack/tools/*/go.mod`, so each version is written in one place.
"""

import re
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).resolve().parents[2] / "hack" / "tools"


@dataclass(frozen=True, slots=True)
class Tool:
    """A binary `name` built from `package`, whose `module` is pinned in the go.mod of `directory`.

    `stamps` are linker variables; `{version}`, `{major}` and `{minor}` stand for the version.
    `tags` are build tags.
    """

    name: str
    directory: Path
    module: str
    package: str
    stamps: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The pinned version, as in `v1.37.2`."""
        return _match(rf"^\s*(?:require\s+)?{re.escape(self.module)} (v\S+)", self.directory)

    @property
    def needs_go(self) -> tuple[int, ...]:
        """The oldest Go that builds it, as in `(1, 26, 0)`."""
        return numbers(_match(r"^go (\S+)", self.directory))

    def flags(self) -> str:
        """Return the linker flags: no symbols, and the stamps.

        NB: without the stamp a kube-apiserver (1.37) reports the version v0.0.0-master, and helm
        then refuses a chart's kubeVersion.
        """
        major, minor, *_ = numbers(self.version)
        stamps = [
            "-X " + stamp.format(version=self.version, major=major, minor=minor)
            for stamp in self.stamps
        ]
        return " ".join(["-s -w", *stamps])


_KUBERNETES = (
    "k8s.io/component-base/version.gitVersion={version}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
)

TOOLS = (
    Tool("etcd", MODULES / "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    Tool(
        "kube-apiserver",
        MODULES / "kubernetes",
        "k8s.io/kubernetes",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        _KUBERNETES,
    ),
    Tool(
        "kubectl",
        MODULES / "kubernetes",
        "k8s.io/kubernetes",
        "k8s.io/kubernetes/cmd/kubectl",
        _KUBERNETES,
    ),
    Tool(
        "helm",
        MODULES / "helm",
        "helm.sh/helm/v4",
        "helm.sh/helm/v4/cmd/helm",
        ("helm.sh/helm/v4/internal/version.version={version}",),
    ),
)


CHECKERS = (
    Tool(
        "helm3",
        MODULES / "helm3",
        "helm.sh/helm/v3",
        "helm.sh/helm/v3/cmd/helm",
        ("helm.sh/helm/v3/internal/version.version={version}",),
    ),
    Tool(
        "kubeconform",
        MODULES / "kubeconform",
        "github.com/yannh/kubeconform",
        "github.com/yannh/kubeconform/cmd/kubeconform",
        ("main.version={version}",),
    ),
    Tool(
        "kube-score",
        MODULES / "kube-score",
        "github.com/zegl/kube-score",
        "github.com/zegl/kube-score/cmd/kube-score",
    ),
)
"""What the chart's tests need in addition to a stack."""

ON_DEMAND = (
    Tool(
        "promtool",
        MODULES / "prometheus",
        "github.com/prometheus/prometheus",
        "github.com/prometheus/prometheus/cmd/promtool",
        ("github.com/prometheus/common/version.Version={version}",),
        ("remove_all_sd",),
    ),
)
"""What a single make target needs. promtool takes two minutes to build on two cores, even without
the service discovery clients of the clouds."""


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version.

    >>> numbers("v1.37.2")
    (1, 37, 2)
    """
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _match(pattern: str, directory: Path) -> str:
    text = (directory / "go.mod").read_text()
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise LookupError(f"{directory / 'go.mod'} has no line like {pattern}")
    return match[1]
