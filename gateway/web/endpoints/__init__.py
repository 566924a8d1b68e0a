"""The gateway's own endpoints, one file each; the table in `web/door/listener.py` says which path is whose."""
