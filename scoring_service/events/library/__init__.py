"""Ready-made events: a folder each, with its ``event.yaml`` and the generator of its data.

    goat-server event apply scoring_service/events/library/photographs/event.yaml

``photographs`` is the sample event of a first start: damaged photographs, and depth from one picture,
quick to build. Two have the size of a full event: ``hyperspectral``, 300 cubes of 29 bands, and
``depth``, 96 pictures of 448 × 448.
"""
