"""What devices say, one file a protocol: pure functions from facts to octets."""
