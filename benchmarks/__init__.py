"""How fast cnnfast is, against naive loops, vectorised NumPy, PyTorch and ONNX Runtime.

    python -m pip install -e ".[bench]"
    python -m benchmarks                  every kernel on every layer of shapes.json, some minutes
    python -m benchmarks --quick          some of the layers, in less than a minute
    python -m benchmarks layers           convolutions and other operations against PyTorch
    python -m benchmarks networks         whole networks against whoever is installed of PyTorch
                                          (with torchvision), ONNX Runtime, OpenVINO, ncnn (with
                                          pnnx); the last three need onnx too
    python -m benchmarks sliding          VGG-16 over an image of 384x384 against its 36 crops

`shapes.json` is the data, `peers.py` the other libraries (used where installed), `kernels.py` the
run, `report.py` what comes of it; `networks` has its own of all these. The timing itself is
`cnnfast.cli.race`, which `cnnfast demo` uses too.
"""
