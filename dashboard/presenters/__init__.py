"""What the pages show: plain values read from rows in a constant number of queries."""
