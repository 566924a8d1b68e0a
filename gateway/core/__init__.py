"""The ground: rules without input or output.

*Facts* are what a request says; a *session* is what its cookie says; *revocations* are what has been ended since;
a *policy* says who may do what; the *gate* turns all four into a *verdict*; a *chain* is a logout under way.
Nothing here awaits, logs, reads a clock (but ``clock.py``) or draws randomness (but ``dice.py``).
"""
