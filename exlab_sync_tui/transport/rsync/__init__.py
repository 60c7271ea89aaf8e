"""An SSH server with rsync, by way of the rsync and the ssh of this PC."""
