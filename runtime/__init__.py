"""What the worker, the webhook and the kubectl plugin share at run time.

Each module stands alone and loads its libraries late: the plugin starts in a tenth of a second.
"""
