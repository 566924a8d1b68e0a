"""The configuration as a plain frozen value, and the files it names as they are read.

A replica lives on this room alone, without YAML and the command line, and processes can hand the value on.

* ``model.py`` with the sections beside it: every key, once, with its type, default and description
* ``kinds.py``: the types of values, on ``addresses.py``, ``names.py``, ``state_urls.py`` and ``units.py``
* ``secret_files.py``: what is read again while a replica runs
"""
