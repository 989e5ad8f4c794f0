"""Arrays to the host's memory and back, for every library that adapters meet."""

import subprocess
import sys

import numpy as np
import pytest

from dyntemp.engines.arrays import beside, on_host


def test_an_array_of_numpy_is_not_copied():
    values = np.arange(3.0)

    assert on_host(values) is values
    assert beside(values, values) is values


def test_a_list_becomes_an_array():
    np.testing.assert_array_equal(on_host([1, 2]), [1, 2])


@pytest.mark.torch
def test_tensors():
    torch = pytest.importorskip("torch")
    rounded = torch.tensor([1.0, 2.5], dtype=torch.bfloat16, requires_grad=True)
    back = beside(np.arange(2), rounded)

    assert on_host(rounded).dtype == np.float32
    np.testing.assert_array_equal(on_host(rounded), [1.0, 2.5])
    assert isinstance(back, torch.Tensor)
    assert back.device == rounded.device


def test_arrays_of_mlx():
    mlx = pytest.importorskip("mlx.core")
    rounded = mlx.array([1.0, 2.5], dtype=mlx.bfloat16)

    assert on_host(rounded).dtype == np.float32
    np.testing.assert_array_equal(on_host(rounded), [1.0, 2.5])
    assert isinstance(beside(np.arange(2), rounded), mlx.array)


def test_no_library_is_imported():
    code = (
        "import sys, numpy as np\n"
        "from dyntemp.engines.arrays import beside, on_host\n"
        "beside(on_host([1.0]), np.zeros(1))\n"
        "assert not {'torch', 'mlx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
