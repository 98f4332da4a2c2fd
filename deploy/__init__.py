"""How the five services are installed, started and reset, on this machine and in images."""
