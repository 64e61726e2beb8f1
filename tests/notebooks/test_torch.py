"""What teams do with PyTorch in a notebook works with the versions that set-up installs."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn


@pytest.mark.timeout(300)
def test_a_small_network_is_exported_for_any_batch(tmp_path: Path) -> None:
    # Given a trained network, as the second starter notebook has one
    network = nn.Sequential(
        nn.PixelUnshuffle(2), nn.Conv2d(12, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1),
        nn.PixelShuffle(2),
    ).eval()  # fmt: skip

    # When it is exported with a free first dimension
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))  # PyTorch's own, of itself
        torch.onnx.export(
            network,
            (torch.rand(2, 3, 16, 16),),
            tmp_path / "model.onnx",
            dynamo=True,
            input_names=["image"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
        )

    # Then the file is whole, and computes the same for another number of images
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model)
    images = torch.rand(3, 3, 16, 16)
    (computed,) = ReferenceEvaluator(model).run(None, {"image": images.numpy()})
    np.testing.assert_allclose(computed, network(images).detach().numpy(), atol=1e-5)
