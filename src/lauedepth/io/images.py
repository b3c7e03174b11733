"""Single detector images in whatever format they come."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.io.hdf5 import SUFFIXES, open_input
from lauedepth.io.image_data import image_dataset, readable
from lauedepth.io.layout import DATA


def read_image(path: Path | str, key: str = DATA) -> npt.NDArray[np.float64]:
    """Read one image: SPE, TIFF and what else fabio knows, .npy, or HDF5.

    Parameters
    ----------
    path : Path or str
    key : str
        Path of the dataset in an HDF5 file.

    Returns
    -------
    (rows, columns) array

    Raises
    ------
    InputError
        Cannot be read, or holds no single two-dimensional image.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such file", str(path), "check the path")
    if path.suffix.lower() in SUFFIXES or h5py.is_hdf5(path):
        with open_input(path) as file, readable(path):
            return np.asarray(image_dataset(file, key, 2)[()], np.float64)
    return _checked(_numpy_image(path) if path.suffix == ".npy" else _with_fabio(path), path)


def _numpy_image(path: Path) -> npt.NDArray[np.generic]:
    try:
        image = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError("is no .npy file of numbers", str(path), "write it again") from error
    if not isinstance(image, np.ndarray):
        raise InputError("holds several arrays", str(path), "give a .npy file of one image")
    return image


def _with_fabio(path: Path) -> npt.NDArray[np.generic]:
    import fabio  # noqa: PLC0415  (slow to import, rarely needed)

    try:
        with fabio.open(str(path)) as image:
            if image.nframes != 1:
                raise InputError(f"holds {image.nframes} images", str(path), "give a single one")
            data = np.asarray(image.data)
    except InputError:
        raise
    except Exception as error:  # fabio's readers raise whatever they stumble over
        reason = (str(error) or repr(error)).splitlines()[0]
        raise InputError(
            f"is no image that can be read: {reason}",
            str(path),
            "give SPE, TIFF or HDF5",
        ) from error
    return data


def _checked(data: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.float64]:
    if data.ndim != 2 or data.dtype.kind not in "buif" or not data.size:
        raise InputError(f"holds {data.dtype} of shape {data.shape}, not a grey image", str(path))
    return data.astype(np.float64)
