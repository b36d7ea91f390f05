"""What of the ONNX project's own test cases is left out, and why: all of it is in this list."""

#: Operators that are no part of image networks. Cases that need one are not run, but
#: `load_onnx` must refuse their models.
OPERATORS: dict[str, str] = {}

#: Cases whose operators there all are.
CASES = {
    "test_identity_opt": "an optional value, not an array",
    "test_identity_sequence": "a sequence of arrays, not an array",
}
