"""What happens to a run once it is verified? Further passes, audits, and the release of the local copy."""
