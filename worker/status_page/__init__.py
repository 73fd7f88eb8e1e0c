"""The status page: a read-only web application that the worker serves.

``rule_list`` and ``rule_detail`` make its data, ``pages`` serves the data and the files in
``static/``.
"""
