"""The providers that the gateway knows by name: a file for each, a line for each in the registry."""
