"""Authorization: a set of policies, what it is asked, and the cases that test it."""
