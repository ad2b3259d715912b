"""What every face's HTTP server is made of: the door, bodies and streams, logs, listening. Knows no dialect."""
