"""A minimal kubelet and the controllers that the chart needs.

helm installs the unmodified chart on the real API server. This package then does what a cluster
does:

1. A Deployment gets a ReplicaSet and Pods, a Job gets its Pods (`rollout.py`, `jobs.py`).
2. A Pod's container runs as a local process with its own command, args, env and mounted files
   (`container.py`, `mounts.py`), authenticated as its ServiceAccount (`service_account.py`).
3. Its probes run as declared (`probing.py`), and its Pod status has the result.
4. A Service's ClusterIP leads to a ready process, through the egress proxy (`services.py`).
5. Everything is level-triggered: `kubelet.py` watches the objects and reconciles after each change.

Limits: the root file system is not read-only, NetworkPolicies have no effect, and every image is
assumed to be the operator's own.
"""

from devstack.kubelet.kubelet import Kubelet

__all__ = ["Kubelet"]
