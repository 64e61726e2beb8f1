"""Depth from one picture: rendered rooms and one measured scene, at two sizes."""
