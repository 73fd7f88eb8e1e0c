"""The four programs of a stack, those that check its chart, and the Go modules that pin them.

The versions are read from `hack/tools/*/go.mod`, so that one file says what is built.
"""

import re
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).resolve().parents[2] / "hack" / "tools"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program `name` built from `package`, whose `module` is pinned in `folder`'s go.mod.

    `stamps` are linker variables; `{version}`, `{major}` and `{minor}` stand for the version.
    `tags` are build tags.
    """

    name: str
    folder: Path
    module: str
    package: str
    stamps: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The pinned version, as in `v1.37.2`."""
        return _find(rf"^\s*(?:require\s+)?{re.escape(self.module)} (v\S+)", self.folder)

    @property
    def needs_go(self) -> tuple[int, ...]:
        """The oldest Go that builds it, as in `(1, 26, 0)`."""
        return numbers(_find(r"^go (\S+)", self.folder))

    def flags(self) -> str:
        """Give the linker flags: no symbols, and the stamps.

        NB: without the stamp a built kube-apiserver calls itself v0.0.0-master (1.37), and helm
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
"""What the chart's tests need beside a stack."""

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
"""What one target alone needs, as it takes long to build: promtool two minutes on two cores, even
without the clients of all clouds for service discovery."""


def numbers(version: str) -> tuple[int, ...]:
    """Give a version's numbers.

    >>> numbers("v1.37.2")
    (1, 37, 2)
    """
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _find(pattern: str, folder: Path) -> str:
    text = (folder / "go.mod").read_text()
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise LookupError(f"{folder / 'go.mod'} has no line like {pattern}")
    return match[1]
