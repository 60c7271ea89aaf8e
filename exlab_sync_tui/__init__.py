"""exlab-sync: moves finished instrument runs to a NAS, proves every byte, and says so."""
