"""NumPy's and PyTorch's side of src/rows/movement.rs: elements that move."""

import numpy as np

SIDE = 2048
TAKEN = 4096
ORDER = [i * 1_237 % SIDE for i in range(TAKEN)]


def numpy_rows(operand, call):
    def matrix():
        return operand(SIDE, SIDE)

    order = np.array(ORDER)
    halves = (SIDE // 2, SIDE)
    return {
        "sort 1e5": lambda: call(np.sort, operand(100_000)),
        "sort 4e6": lambda: call(np.sort, operand(4_000_000)),
        "transpose copy 2048x2048": lambda: call(lambda x: np.ascontiguousarray(x.T), matrix()),
        "x + x.T 2048x2048": lambda: call(lambda x: x + x.T, matrix()),
        "take 4096 rows 2048x2048": lambda: call(lambda x: np.take(x, order, 0), matrix()),
        "where 2048x2048": lambda: call(np.where, matrix() > 0, matrix(), matrix()),
        "mask select 2048x2048": lambda: call(lambda m, x: x[m], matrix() > 0, matrix()),
        "concat 2048x2048": lambda: call(lambda a, b: np.concatenate([a, b]), operand(*halves), operand(*halves)),
    }


def torch_rows(torch, operand, call):
    def matrix():
        return operand(SIDE, SIDE)

    order = torch.tensor(ORDER)
    halves = (SIDE // 2, SIDE)
    return {
        "sort 1e5": lambda: call(lambda x: torch.sort(x)[0], operand(100_000)),
        "sort 4e6": lambda: call(lambda x: torch.sort(x)[0], operand(4_000_000)),
        "transpose copy 2048x2048": lambda: call(lambda x: x.T.contiguous(), matrix()),
        "x + x.T 2048x2048": lambda: call(lambda x: x + x.T, matrix()),
        "take 4096 rows 2048x2048": lambda: call(lambda x: x.index_select(0, order), matrix()),
        "where 2048x2048": lambda: call(torch.where, matrix() > 0, matrix(), matrix()),
        "mask select 2048x2048": lambda: call(lambda m, x: x[m], matrix() > 0, matrix()),
        "concat 2048x2048": lambda: call(lambda a, b: torch.cat([a, b]), operand(*halves), operand(*halves)),
    }
