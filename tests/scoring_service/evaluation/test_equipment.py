"""What a worker needs to run models: found, or said in a sentence. The driver here is a stand-in for
NVIDIA's (no test machine has to have one); its functions and errors are named as in the real binding."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from goat.kinds.onnx import runtime
from scoring_service.evaluation import equipment
from scoring_service.evaluation.equipment import Gpu, RuntimeMissing


class _Error(Exception):
    pass


class _NotFound(_Error):
    pass


class _NotSupported(_Error):
    pass


GB = 1 << 30
WHOLE = {"uuid": "GPU-1", "name": "NVIDIA H200", "total": 140 * GB, "slices": None}
CUT = {
    "uuid": "GPU-2",
    "name": "NVIDIA A100",
    "total": 80 * GB,
    "slices": [
        {"uuid": "MIG-a", "name": "NVIDIA A100 MIG 3g.40gb", "total": 40 * GB},
        None,  # numbers of slices have holes
        {"uuid": "MIG-b", "name": "NVIDIA A100 MIG 3g.40gb", "total": 40 * GB},
    ],
}


def driver(*devices: dict[str, Any], answers: bool = True) -> SimpleNamespace:
    def init() -> None:
        if not answers:
            raise _Error("Driver Not Loaded")

    def mig_mode(device: dict[str, Any]) -> list[int]:
        if device["slices"] is None:
            raise _NotSupported
        return [1, 1]

    def slice_of(device: dict[str, Any], index: int) -> dict[str, Any]:
        found: dict[str, Any] | None = device["slices"][index]
        if found is None:
            raise _NotFound
        return found

    return SimpleNamespace(
        NVMLError=_Error,
        NVMLError_NotFound=_NotFound,
        NVMLError_NotSupported=_NotSupported,
        NVML_DEVICE_MIG_ENABLE=1,
        nvmlInit=init,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(devices),
        nvmlDeviceGetHandleByIndex=lambda index: devices[index],
        nvmlDeviceGetMigMode=mig_mode,
        nvmlDeviceGetMaxMigDeviceCount=lambda device: len(device["slices"]),
        nvmlDeviceGetMigDeviceHandleByIndex=slice_of,
        nvmlDeviceGetUUID=lambda device: device["uuid"],
        nvmlDeviceGetName=lambda device: device["name"].encode(),  # as older bindings do
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(total=device["total"]),
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make this a machine with these devices and packages."""

    def make(
        *devices: dict[str, Any], answers: bool = True, packages: tuple[str, ...] = ("onnxruntime-gpu",)
    ) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", driver(*devices, answers=answers))
        for module in (equipment, runtime):
            monkeypatch.setattr(module, "installed", lambda name: name in packages)
        monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: packages or None)

    return make


def test_devices_are_listed_and_a_cut_one_by_its_slices(machine: Any) -> None:
    machine(WHOLE, CUT)
    assert equipment.gpus() == [
        Gpu("GPU-1", "NVIDIA H200", 140 * GB),
        Gpu("MIG-a", "NVIDIA A100 MIG 3g.40gb", 40 * GB),
        Gpu("MIG-b", "NVIDIA A100 MIG 3g.40gb", 40 * GB),
    ]


def test_a_gpu_worker_may_use_its_share_of_the_memory_that_the_device_really_has(machine: Any) -> None:
    machine(WHOLE, CUT)
    found = equipment.equip("gpu", "MIG-b", 0.5)
    assert found.gpu_memory_bytes == 20 * GB
    assert found.environment["CUDA_VISIBLE_DEVICES"] == "MIG-b"
    assert found.machine["gpu"] == "NVIDIA A100 MIG 3g.40gb"
    assert "onnxruntime" in found.preload


@pytest.mark.parametrize(("named", "chosen"), [("", "GPU-1"), ("0", "GPU-1"), ("2", "MIG-b")])
def test_a_device_is_chosen_by_number_or_the_first_one(machine: Any, named: str, chosen: str) -> None:
    machine(WHOLE, CUT)
    assert equipment.chosen_gpu(named).id == chosen


def test_a_device_that_is_not_there_is_said_with_those_that_are(machine: Any) -> None:
    machine(WHOLE)
    with pytest.raises(RuntimeMissing, match=r"GOAT_GPU_DEVICE=MIG-x .* there is: GPU-1"):
        equipment.equip("gpu", "MIG-x", 0.9)


def test_a_gpu_that_is_lost_is_left_out_and_the_others_are_used(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def memory(device: dict[str, Any]) -> SimpleNamespace:
        if device["uuid"] == WHOLE["uuid"]:
            raise _Error("GPU is lost")
        return SimpleNamespace(total=device["total"])

    machine(WHOLE, CUT)
    monkeypatch.setattr(sys.modules["pynvml"], "nvmlDeviceGetMemoryInfo", memory)
    assert equipment.planned_gpus(None, "") == ["MIG-a", "MIG-b"]
    with pytest.raises(RuntimeMissing, match="no device of this machine"):
        equipment.equip("gpu", "GPU-1", 0.9)


def test_one_gpu_worker_is_planned_per_device(machine: Any) -> None:
    machine(WHOLE, CUT)
    assert equipment.planned_gpus(None, "") == ["GPU-1", "MIG-a", "MIG-b"]
    assert equipment.planned_gpus(None, "MIG-a, MIG-b") == ["MIG-a", "MIG-b"]
    assert equipment.planned_gpus(4, "") == ["GPU-1", "MIG-a", "MIG-b", "GPU-1"]
    assert equipment.planned_gpus(0, "") == []


def test_without_a_driver_or_its_runtime_none_is_planned_by_itself(machine: Any) -> None:
    machine(answers=False)
    assert equipment.planned_gpus(None, "") == []
    machine(WHOLE, packages=("onnxruntime",))
    assert equipment.planned_gpus(None, "") == []


def test_a_worker_that_was_asked_for_is_planned_and_will_say_what_it_lacks(machine: Any) -> None:
    machine(answers=False)
    assert equipment.planned_gpus(1, "") == [""]


@pytest.mark.parametrize(
    ("lane", "packages", "sentence"),
    [
        ("cpu", (), r'pip install "mls-goat\[cpu\]"'),
        ("gpu", ("onnxruntime",), "GOAT_RUNTIME=gpu"),
        ("cpu", ("onnxruntime", "onnxruntime-gpu"), "both installed and break each other"),
    ],
    ids=["none", "the CPU's", "both"],
)
def test_a_worker_without_the_right_runtime_says_which_to_install(
    machine: Any, lane: str, packages: tuple[str, ...], sentence: str
) -> None:
    machine(WHOLE, packages=packages)
    with pytest.raises(RuntimeMissing, match=sentence):
        equipment.equip(lane, "", 0.9)


def test_a_gpu_worker_without_a_driver_says_so(machine: Any) -> None:
    machine(answers=False)
    with pytest.raises(RuntimeMissing, match="No NVIDIA driver answers"):
        equipment.equip("gpu", "", 0.9)


def test_lanes_that_read_files_need_no_runtime(machine: Any) -> None:
    machine(answers=False, packages=())
    for lane in ("short", "long", "judges"):
        assert equipment.equip(lane, "", 0.9) == equipment.READS_FILES
