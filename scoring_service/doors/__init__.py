"""Ways into the service. A door decodes, calls one service function and encodes; it holds no rules."""
