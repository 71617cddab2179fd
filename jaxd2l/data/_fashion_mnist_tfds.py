"""Fashion-MNIST through tensorflow-datasets, without TensorFlow. Importing this file imports TFDS."""

import contextlib
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils import tqdm_utils

from jaxd2l.data import _fashion_mnist_files as files

_Path = os.PathLike[str]  # TFDS passes its own kind of path, not a pathlib.Path

# Not registered: it would replace TFDS's own builder of the same name.
with tfds.core.registered.skip_registration():

    class FashionMNIST(tfds.image_classification.FashionMNIST):
        """TFDS's builder, with NumPy where it calls TensorFlow, and examples in their own order."""

        def _info(self) -> tfds.core.DatasetInfo:
            # A Tensor and not an Image: without TensorFlow, TFDS takes images only as PNG files,
            # and encoding and decoding 70000 of them takes three times as long.
            features = {
                "image": tfds.features.Tensor(shape=(28, 28, 1), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
            paths = dl_manager.download([files.FILES.url + name for name in files.FILES.names])
            return {
                "train": self._generate_examples(*paths[:2]),
                "test": self._generate_examples(*paths[2:]),
            }

        def _generate_examples(self, images: _Path, labels: _Path) -> Iterator[tuple[int, dict]]:
            pairs = zip(read_idx(images), read_idx(labels), strict=True)
            for index, (image, label) in enumerate(pairs):
                yield index, {"image": image[..., np.newaxis], "label": int(label)}


def read_idx(path: _Path) -> np.ndarray:
    """The array in a gzipped IDX file of bytes, the format of MNIST: (n, 28, 28) or (n,) uint8."""
    contents = gzip.decompress(Path(path).read_bytes())
    rank = contents[3]
    shape = np.frombuffer(contents, ">i4", count=rank, offset=4)
    return np.frombuffer(contents, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read(source: Path, scratch: Path) -> dict[str, np.ndarray]:
    """Lets TFDS check and prepare the official files of `source` in `scratch`, and reads them back.

    Returns:
      `train_images` (60000, 28, 28, 1) uint8 and `train_labels` (60000,) int32, in the order of the files;
      `test_images` and `test_labels` likewise, 10000 of each.
    """
    builder = FashionMNIST(data_dir=scratch)
    with _quiet():
        builder.download_and_prepare(
            download_dir=scratch / "downloads",
            download_config=tfds.download.DownloadConfig(
                manual_dir=source, force_checksums_validation=True, try_download_gcs=False
            ),
            file_format="array_record",
        )
    arrays = {}
    for split in ("train", "test"):
        records = builder.as_data_source(split)
        examples = records.__getitems__(range(len(records)))
        arrays[f"{split}_images"] = np.stack([example["image"] for example in examples])
        arrays[f"{split}_labels"] = np.array([example["label"] for example in examples], np.int32)
    return arrays


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS's messages off stdout, which belongs to the caller, and hides its progress bars."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        tfds.core.utils.temporary_assignment(tqdm_utils, "_active", False),
    ):
        yield
