"""Arguments are taken for what they are: nothing is silently dropped, filled, rounded or read as a number."""

from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest

from deeplimits import _checks
from deeplimits.activations import shaped_relu
from deeplimits.kernels import CovarianceODE
from deeplimits.networks import ShapedMLP

NO_NUMBERS = {
    "text": "1.5",
    "texts": ["1.5", "2"],
    "bytes": b"1.5",
    "array of bytes": np.array([b"1"]),
    "None": None,
    "None inside": [1.0, None],
    "complex": 1 + 0j,
    "complex array": np.array([1 + 0j]),
    "complex type": np.complex128(1),
    "date": np.datetime64("2020-01-01"),
    "duration": np.timedelta64(3, "s"),
    "date object": datetime(2020, 1, 1),
    "truth value": True,
    "NumPy's truth value": np.True_,
    "truth values": [True, False],
    "objects": [object()],
    "masked": np.ma.array([1.0, 2.0], mask=[False, True]),
    "unmasked": np.ma.array([1.0]),
    "mask": np.ma.masked,
    "masked inside": [np.ma.array([1.0, 2.0], mask=[False, True])],
    "truth value inside": [[1.0, True]],
    "ragged": [[1.0], [1.0, 2.0]],
    "large": 10**309,
    "large inside": [1, 10**309],
    "many digits": 10**4300,
    "function": len,
    "set": {1.0},
    "mapping": {"a": 1},
}


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize(
    "check",
    [
        _checks.real,
        _checks.reals,
        _checks.numbers,
        _checks.covariance,
        _checks.semidefinite,
        _checks.matrices,
        _checks.whole,
    ],
)
def test_what_is_no_number_is_refused_by_name(check, value):
    if check is _checks.whole and type(value) is int:
        value = 1.0  # a large one is a whole number, one with a point is not
    with pytest.raises(ValueError, match="^argument must"):
        check("argument", value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int8(3), np.array(3), Fraction(3), np.longdouble(3)])
def test_a_number_of_any_real_type_is_accepted(value):
    assert _checks.real("x", value) == 3
    assert _checks.numbers("x", [10**25, 3]).tolist() == [1e25, 3]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.longdouble("1e4000")])
def test_what_is_not_finite_is_refused_by_name(value):
    with pytest.raises(ValueError, match="x must be a finite number"):
        _checks.real("x", value)
    with pytest.raises(ValueError, match="x must be finite numbers"):
        _checks.reals("x", [1.0, value])


def test_bounds_hold_for_every_entry():
    assert _checks.reals("x", [[0.0, np.inf]], least=0, infinite=True).shape == (1, 2)
    with pytest.raises(ValueError, match="x must be finite numbers and > 0 and <= 1, got"):
        _checks.reals("x", [0.5, 0.0], above=0, most=1)
    with pytest.raises(ValueError, match="x must be numbers, not NaN"):
        _checks.reals("x", [np.nan], infinite=True)


def test_messages_stay_short():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    for value in (Broken(), list(range(10**5)), 10**5000):
        with pytest.raises(ValueError) as found:
            _checks.real("x", value)
        assert len(str(found.value)) < 300


@pytest.fixture(params=[(10, 5), (100, 64), (3, 2), (40, 400)], ids=str)
def data(request):
    count, length = request.param
    return np.random.default_rng(count).standard_normal((count, length)).astype(np.float32)


def test_a_float32_gram_gives_the_result_of_its_float64_one(data):
    """Its smallest eigenvalues are of the size of its rounding, of either sign."""
    gram, exact = (x @ x.T / x.shape[1] for x in (data, data.astype(np.float64)))
    assert gram.dtype == np.float32
    taken = _checks.covariance("gram", gram)
    assert np.linalg.eigvalsh(taken)[0] > -1e-12
    assert taken == pytest.approx(exact, abs=2e-6)
    ode = CovarianceODE(shaped_relu(0, -1))
    assert ode.at(gram, 1.0) == pytest.approx(ode.at(exact, 1.0), rel=1e-6, abs=2e-6)


def test_networks_take_a_float32_gram_for_the_rank_of_its_data():
    x = np.random.default_rng(1).standard_normal((10, 5)).astype(np.float32)
    network = ShapedMLP(shaped_relu(0, -1), 50, 4)
    single, double = (network.sample(one @ one.T / 5, 20, 1) for one in (x, x.astype(np.float64)))
    assert np.linalg.norm(single - double) < 1e-5 * np.linalg.norm(double)


def test_the_same_matrix_in_float64_is_refused():
    """The negative control: there an eigenvalue of -9e-8 is no rounding."""
    x = np.random.default_rng(10).standard_normal((10, 5)).astype(np.float32)
    gram = x @ x.T / 5
    assert np.linalg.eigvalsh(gram.astype(np.float64))[0] < -2e-8
    with pytest.raises(ValueError, match="gram must be positive semi-definite"):
        _checks.covariance("gram", gram.astype(np.float64))


def test_what_is_small_is_kept_in_any_precision():
    for kind in (np.float16, np.float32, np.float64):
        given = np.array([[1e-6, 0], [0, 1]], kind)
        assert np.array_equal(_checks.covariance("V", given), given)
    close = np.array([[1, 1 - 2e-6], [1 - 2e-6, 1]], np.float32)
    assert np.array_equal(_checks.covariance("V", close), close)


def test_a_wrong_matrix_is_refused_in_any_precision():
    for kind in (np.float16, np.float32, np.float64):
        with pytest.raises(ValueError, match="V must be positive semi-definite, its smallest eigenvalue is -"):
            _checks.covariance("V", np.array([[1, 1.1], [1.1, 1]], kind))
        with pytest.raises(ValueError, match="V must be symmetric"):
            _checks.covariance("V", np.array([[1, 0.5], [0.4, 1]], kind))


def test_a_covariance_near_the_largest_numbers_is_judged_like_any_other():
    assert np.array_equal(_checks.covariance("V", 1.7e308 * np.eye(2)), 1.7e308 * np.eye(2))
    with pytest.raises(ValueError, match="V must be positive semi-definite"):
        _checks.covariance("V", [[1e308, 1.2e308], [1.2e308, 1e308]])


def test_a_semidefinite_matrix_may_have_no_variance():
    assert np.array_equal(_checks.semidefinite("V", [[0, 0], [0, 1]]), np.diag([0, 1]))
    assert np.array_equal(_checks.semidefinite("V", np.zeros((2, 2)), 2), np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"V must have shape \(3, 3\), got \(2, 2\)"):
        _checks.semidefinite("V", np.eye(2), 3)
