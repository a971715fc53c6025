"""The simulated API: an HTTPS server with counters and scripted faults. See README.md."""
