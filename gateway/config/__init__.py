"""The configuration: one YAML file and the environment, read in three passes."""
