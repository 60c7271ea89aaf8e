"""Any remote of rclone, by way of one `rclone rcd` and its remote control."""
