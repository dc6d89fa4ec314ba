"""PyTorch's side of src/rows/conv.rs: convolutions, forward and both gradients, and pooling and group normalisation."""

# Shapes of the images and of the weight, stride, padding, groups.
CASES = {
    "8x64x56x56 k64 3x3": ((8, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1),
    "8x256x14x14 k256 3x3": ((8, 256, 14, 14), (256, 256, 3, 3), 1, 1, 1),
    "8x64x56x56 k256 1x1": ((8, 64, 56, 56), (256, 64, 1, 1), 1, 0, 1),
    "8x3x224x224 k64 7x7/2": ((8, 3, 224, 224), (64, 3, 7, 7), 2, 3, 1),
    "8x128x56x56 depthwise 3x3": ((8, 128, 56, 56), (128, 1, 3, 3), 1, 1, 128),
    "1x64x56x56 k64 3x3": ((1, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1),
}


def rows(torch, tensor, unary):
    """Rows by name: each prepares a call that takes no arguments."""
    F = torch.nn.functional

    def forward(image, weight, stride, padding, groups):
        w = tensor(*weight)
        return unary(lambda x: F.conv2d(x, w, None, stride, padding, 1, groups), *image)

    def backward(image, weight, stride, padding, groups):
        w = tensor(*weight)
        g = F.conv2d(tensor(*image), w, None, stride, padding, 1, groups)

        def both(x):
            wanted = [True, True, False]
            geometry = [[stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups]
            return torch.ops.aten.convolution_backward(g, x, w, None, *geometry, wanted)

        return unary(both, *image)

    def in_bfloat16(image, weight, stride, padding, groups):
        x, w = tensor(*image).bfloat16(), tensor(*weight).bfloat16()
        return lambda: F.conv2d(x, w, None, stride, padding, 1, groups)

    found = {}
    for name, case in CASES.items():
        found[f"conv2d {name}"] = lambda case=case: forward(*case)
        found[f"conv2d {name} backward"] = lambda case=case: backward(*case)
    for name in ["8x64x56x56 k64 3x3", "8x256x14x14 k256 3x3", "8x64x56x56 k256 1x1", "8x3x224x224 k64 7x7/2"]:
        found[f"conv2d {name} in bfloat16"] = lambda case=CASES[name]: in_bfloat16(*case)
    large = (8, 64, 112, 112)
    # With positions, as a forward pass that is trained through finds them.
    found["max_pool2d 8x64x112x112 2x2"] = lambda: unary(lambda x: F.max_pool2d_with_indices(x, 2), *large)
    found["max_pool2d 8x64x112x112 3x3/2"] = lambda: unary(lambda x: F.max_pool2d_with_indices(x, 3, 2, 1), *large)
    found["adaptive_avg_pool2d 8x512x14x14 to 1x1"] = lambda: unary(lambda x: F.adaptive_avg_pool2d(x, 1), 8, 512, 14, 14)
    weight, bias = tensor(64), tensor(64)
    found["group_norm 8x64x56x56 in 32"] = lambda: unary(lambda x: F.group_norm(x, 32, weight, bias), 8, 64, 56, 56)
    return found
