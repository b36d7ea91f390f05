"""What of the ONNX project's own test cases is left out, and why: all of it is in this list."""

_REASONS = {
    "attention and what language models need": """
        Attention LinearAttention RotaryEmbedding RMSNormalization SwiGLU CausalConvWithState
        TensorScatter ai.onnx.preview.FlexAttention""",
    "a recurrent network": "GRU LSTM RNN",
    "control flow: graphs inside of nodes": "If Loop Scan",
    "a value that is no array": """
        ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert
        SequenceLength SequenceMap SplitToSequence OptionalGetElement OptionalHasElement""",
    "text": "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer",
    "a quantised network": """
        ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
        QuantizeLinear""",
    "training inside of a graph: cnnfast has losses and optimizers of its own": """
        NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss ai.onnx.preview.training.Adagrad
        ai.onnx.preview.training.Adam ai.onnx.preview.training.Gradient
        ai.onnx.preview.training.Momentum""",
    "detection of objects": "NonMaxSuppression RoiAlign",
    "sampling at computed places": "AffineGrid DeformConv GridSample",
    "a signal's spectrum": """
        BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT""",
    "no convolutional network of the notes has it": """
        Acos Acosh Asin Asinh Atan Atanh Cos Cosh Sin Sinh Tan BitCast BitShift BitwiseAnd
        BitwiseNot BitwiseOr BitwiseXor CenterCropPad Compress CumProd CumSum Det Einsum EyeLike
        GatherElements GatherND Hardmax IsInf IsNaN LpNormalization MeanVarianceNormalization
        NonZero OneHot ReverseSequence Scatter ScatterElements ScatterND Shrink TopK Trilu
        Unique""",
    "random: nothing to compare with": "Bernoulli RandomUniformLike",
    "files of images: Pillow reads them": "ImageDecoder",
    "trees and tables, of the standard's part for classical machine learning": """
        ai.onnx.ml.ArrayFeatureExtractor ai.onnx.ml.Binarizer ai.onnx.ml.LabelEncoder
        ai.onnx.ml.TreeEnsemble""",
}

#: Operators that are no part of image networks. Cases that need one are not run, but `load_onnx`
#: must refuse their models.
OPERATORS = {name: reason for reason, names in _REASONS.items() for name in names.split()}

#: Cases whose operators are all there.
CASES = {
    "test_identity_opt": "an optional value, not an array",
    "test_identity_sequence": "a sequence of arrays, not an array",
}

#: Cases that pass with another relative tolerance than the 0.001 of the project's own runner.
LOOSER = {
    "test_attention_4d_causal_fp16_expanded": (
        0.002,
        "2 of 192 values differ by one unit in the last place of float16, which is more than 0.001",
    ),
}
