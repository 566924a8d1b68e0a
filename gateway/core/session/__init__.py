"""The session as a value: its life, its seal, its cookies, and the sign-in that it comes from."""
