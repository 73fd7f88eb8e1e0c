"""Plays kubelet and controllers for the chart, so that what it declares is what runs.

The chart is installed by helm on the real API server; nothing of it is bent for the laptop. This
package then does what a cluster would:

1. A Deployment gets a ReplicaSet and Pods, a Job gets its Pods (`rollout.py`, `jobs.py`).
2. A Pod's container runs as a local process with its own command, args, env and mounted files
   (`container.py`, `mounts.py`), as its ServiceAccount by TokenRequest (`account.py`).
3. Its probes are asked as declared (`probing.py`), and its status says what came of them.
4. A Service's ClusterIP leads to a ready process, through the egress proxy (`services.py`).
5. Everything is level-triggered: `node.py` mirrors the objects and, whenever one changes, makes
   the next few moves towards what they ask for.

What it cannot do: a root file system cannot be read-only, the network has no policy, and every
image is taken for the operator's own.
"""

from devstack.kubelet.node import Kubelet

__all__ = ["Kubelet"]
