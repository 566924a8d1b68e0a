"""``gateway doctor``: what can be found out before the first user does, without changing anything anywhere.

* ``verdict.py``, ``check.py``: what a check is and what it says; ``patient.py``, ``served.py``: what it looks at;
  ``probe.py``: how
* ``registrations.py``: what to enter at the providers' consoles
* the other files: the checks, by what they look at; ``examination.py`` runs them, ``report.py`` prints

A check says *cannot know* where only a real sign-out can tell. None writes, signs anybody in or carries a cookie.
"""
