"""Keys with which a login reads and writes what nobody between the devices may read."""
