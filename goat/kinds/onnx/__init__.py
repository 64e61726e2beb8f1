"""The parts of the kind `onnx_inference`.

settings    what an event file declares, and what a participant may choose
runtime     which packages must be there, and what the machine is
session     the part that loads and runs a hostile model; runs in the child
calls       one prepared call of a session, on the CPU or the GPU
latency     how the speed of such calls is measured
scoring     outputs and times against truth: metrics, score
refusals    what a participant is told when the runtime refuses, or the child did not come back
"""
