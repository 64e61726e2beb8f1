"""Proves that database, files and boards agree: after a crash, a restored backup, or out of doubt."""
