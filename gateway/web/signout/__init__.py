"""The sign-out at work: the hops, their evidence, and everything that ends sessions."""
