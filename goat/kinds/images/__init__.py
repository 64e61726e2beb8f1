"""The parts of the kind `image_reconstruction`.

settings    what an event file declares
inspection  the part that reads hostile bytes; runs in the child
opening     maps the values that the inspection found; runs in the parent
measuring   values against truth: problems, metrics, score
findings    problems, grouped so that a person can read them
dataset     is an organiser's data folder sound?
"""
