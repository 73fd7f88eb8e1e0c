"""What the worker, the webhook and the kubectl plugin share at run time.

Each module loads its libraries late: the plugin starts in a tenth of a second. The plugin does not
import ``runtime/kube``: it runs kubectl.
"""
