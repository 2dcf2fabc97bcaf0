"""An Ollama on this machine: its processes, connections, access log and model store."""
