"""An admitted request goes to the upstream, and the answer comes back."""
