"""What a state backend has to do, and what all backends share."""
