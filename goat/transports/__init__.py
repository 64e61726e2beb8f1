"""How the client reaches the service. Only these modules know HTTP."""
