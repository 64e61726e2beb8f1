"""Ready-made events: a folder each, with its ``event.yaml`` and the generator of its data.

    goat-server event apply scoring_service/events/library/photographs/event.yaml

``photographs`` is the sample event of a first start: damaged photographs, real input, quick to
build. ``hyperspectral`` has the size of a full event: 300 cubes of 29 bands.
"""
