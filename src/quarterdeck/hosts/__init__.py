"""The only code that reads machines: NVML, psutil, and metrics pages of exporters."""
