"""One table of metrics, one log set-up, one audit trail."""
