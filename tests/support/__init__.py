"""What tests share: students, problems, oracles, servers and clients."""
