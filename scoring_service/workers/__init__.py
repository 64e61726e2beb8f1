"""The processes that turn waiting submissions into results; the only users of Dramatiq.

The queue server is a doorbell: a message carries one submission id and may be lost, doubled or late.
What waits, who works on it and how often that was tried is in the database, and the sweeper repeats
what the doorbell lost.
"""
