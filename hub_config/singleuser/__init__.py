"""What runs inside a team's server: Jupyter's configuration there, and our server extension."""
