"""Claim → gate → child → score → record: how one submission becomes one result."""
