"""Regimes and halves of steps that other tests do not enter, each found by an error planted there."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad, solve_ivp

from deeplimits import attention, densities, fractional, gaussian, growth, stability
from deeplimits.activations import derivatives, linear, plain, programs, relu, shaped_relu, smooth
from deeplimits.activations.expressions import parse
from deeplimits.blocks import Blocks
from deeplimits.diffusions import CovarianceSDE, NormSDE, ResidualSDE, SingularSDE
from deeplimits.diffusions.unshaped import PLATEAU
from deeplimits.gaussian import LAYERS, Address
from deeplimits.kernels import ResidualKernel, _expectations
from deeplimits.loops import elementwise, flow, program_rows
from deeplimits.loops import smooth as curved
from deeplimits.loops.lanes import LANES
from deeplimits.networks import ShapedMLP, UnshapedChain, gaussian_start
from deeplimits.networks.unshaped import one_layer_moments

CURVED = smooth("softplus", exponent=0.7)


def test_beyond_one_half_a_curved_activation_has_the_limit_of_a_linear_network():
    other, start = smooth("tanh", a=3.0, exponent=0.9), [[1.5, 0.4], [0.4, 0.8]]
    assert tuple(CURVED.limit) == (0, 0, 0) == tuple(other.limit)
    for phi in (CURVED, other):
        limit = CovarianceSDE(phi, 0.8)
        assert np.all(limit.explosion_times(start, 50, 1, steps=8) == np.inf)
    one, two = CovarianceSDE(CURVED, 0.8), CovarianceSDE(other, 0.8)
    assert np.array_equal(one.sample(start, 50, 1, steps=8), two.sample(start, 50, 1, steps=8))
    assert np.array_equal(one.tangents(start, 50, 1, steps=8), two.tangents(start, 50, 1, steps=8))
    log = np.log(one.sample([[1.0]], 20_000, 2, steps=4)[:, 0, 0])
    assert abs(log.mean() + 0.8) < 5 * np.sqrt(1.6 / 20_000)


def test_beyond_one_half_a_rectifier_has_no_gap():
    assert shaped_relu(1, -1, exponent=0.7).gap2 == 0 and shaped_relu(1, -1).gap2 == 4


@pytest.mark.parametrize("rho", [0.93, 0.5])
def test_pairs_that_part_again_follow_the_general_loop(rho):
    """In a network of three neurons chance drives close inputs apart: joined at first, they go on alone."""
    phi, width, layers = plain("x + x**3/100"), 3, np.arange(6)
    start = np.array([[1.0, rho], [rho, 1.0]])
    pair = ShapedMLP(phi, width, 5).sample(start, 400, 1, at=layers, precision="double")
    general = np.empty((400, len(layers), 2, 2))
    program_rows.propagate(
        general,
        layers,
        start,
        program_rows.nearest(start),
        program_rows.neurons(phi, width, np.float64),
        Address(0, LAYERS, np.uint64(1)),
        program_rows.workspace(width, 2, np.float64),
    )
    gap = general[..., 0, 0] + general[..., 1, 1] - 2 * general[..., 0, 1]
    near = gap / general[..., 1, 1]
    assert np.any((near[:, :-1] < 0.25) & (near[:, 1:] > 0.5)), "no pair parts"
    assert np.any((near[:, :-1] > 0.5) & (near[:, 1:] < 0.25)), "no pair joins"
    assert pair == pytest.approx(general, rel=1e-8)


@pytest.mark.parametrize(
    ("process", "start"),
    [(NormSDE(smooth("silu", a=0.5), 2), 1.0), (CovarianceSDE(smooth("silu", a=0.5), 2), np.eye(2))],
    ids=["norm", "two inputs"],
)
def test_explosion_times_to_the_digit_are_those_of_the_path(process, start):
    """A path is infinite from its explosion on, and explosions fall into both halves of a step."""
    steps = 16
    grid = np.arange(steps + 1) * 2 / steps
    path = process.sample(start, 4000, 3, at=grid, steps=steps).reshape(4000, steps + 1, -1)
    ends = process.explosion_times(start, 4000, 3, steps=steps)
    assert np.array_equal(np.isinf(path).all(axis=2), ends[:, None] <= grid)
    place = (ends[np.isfinite(ends)] * steps / 2) % 1
    assert len(place) > 500 and 0.2 < np.mean(place < 0.5) < 0.8


def test_tangents_of_a_limit_end_in_both_halves_of_a_step():
    limit, steps = CovarianceSDE(smooth("silu", a=0.5), 2), 16
    M = limit.tangents([[1.0, 0.2], [0.2, 1.0]], 2000, 3, at=np.arange(17) / 8, steps=steps)
    share = np.isinf(M[:, :, 0, 0]).mean(axis=0)
    norm = NormSDE(smooth("silu", a=0.5), 2).sample(1.0, 2000, 4, at=np.arange(17) / 8, steps=steps)
    assert np.abs(share - np.isinf(norm).mean(axis=0)).max() < 0.06


def test_the_drift_of_a_tangent_is_that_of_its_formula():
    """Over a short time the means of U and C move by the drifts of the page on gradients, which the noise leaves."""
    phi, time, samples = smooth("softplus", a=0.3), 0.01, 400_000
    M = CovarianceSDE(phi, time).tangents([[1.0, 0.3], [0.3, 1.0]], samples, 1, steps=2)
    bend, third, rho = phi.second**2, phi.third, 0.3
    expected = {
        (1, 1): ((bend + third) * (1 + 2 * rho**2) - phi.kappa) / phi.a**2,
        (0, 1): rho * (1.5 * bend + 2 * third - phi.kappa) / phi.a**2,
    }
    for (i, j), drift in expected.items():
        moved = M[:, i, j] - (1 if i == j else rho)
        assert moved.mean() / time == pytest.approx(drift, abs=5 * moved.std() / np.sqrt(samples) / time + 0.05 * drift)


def test_the_plateau_belongs_to_the_map_of_one_layer():
    """A layer lowers epsilon by c epsilon^(3/2), so l^2 epsilon tends to (2 / c)^2."""
    epsilon = 1e-9
    c = float(epsilon - relu().epsilon_map(epsilon, 1)) / epsilon**1.5
    assert pytest.approx((2 / c) ** 2, rel=1e-4) == PLATEAU


def test_the_singular_noise_is_that_of_its_formula():
    """Over a hundredth of the time, at the plateau, log q has the variance 8 dt, the pull being slow."""
    log = np.log(SingularSDE(1.0).sample(PLATEAU, 400_000, 1, start_time=0.99, steps=8))
    assert log.var() == pytest.approx(0.08, rel=0.02)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_a_narrow_layer_of_attention_stays_in_the_cone(temperature):
    """Its crossing term and its square share one matrix: with its transpose in one of them V leaves the cone."""
    V0 = np.array([[1.0, 0.3, -0.2], [0.3, 0.7, 0.1], [-0.2, 0.1, 1.4]])
    V = attention.ShapedAttention(4, 1, 0.7, temperature, key_width=2).sample(V0, 20_000, 1)
    lowest = np.linalg.eigvalsh(V)[:, 0]
    assert np.all(lowest > -1e-9 * np.trace(V, axis1=1, axis2=2))


def test_an_explosion_without_a_constant_takes_two_over_its_speed():
    """phi = e^x - 1, weights and biases of variance 1, from 0: C = phi''^2 - phi'^4 = 0 and u_0 = 1."""
    kernel = ResidualKernel(Blocks(linear(), plain("expm1"), 1, 1, time=3.0))
    assert kernel.explosion_time(0.0, [[0.0]])[0] == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize("outer", ["silu", "x + x**2/5"])
def test_one_block_has_the_exact_mean_and_covariance(outer):
    phi, weight, bias, start = plain(outer), 0.8, 0.5, np.array([[0.7, 0.2], [0.2, 1.1]])
    unit = ResidualKernel(Blocks(linear(), phi, weight, bias)).finite_depth(0.0, start, 1)
    for i in range(2):
        size = np.sqrt(bias + weight * start[i, i])
        first, second = (
            quad(lambda g, k=k, size=size: float(phi(size * g)) ** k * stats.norm.pdf(g), -12, 12)[0] for k in (1, 2)
        )
        assert unit.mean[i] == pytest.approx(first, rel=1e-7)
        assert unit.covariance[i, i] == pytest.approx(start[i, i] + second - first**2, rel=1e-7)


def test_the_activation_of_the_spring_has_its_slope():
    phi, y, h = densities.OrnsteinUhlenbeck(0.6, 0.2), np.array([-2.0, 0.3, 4.0]), 1e-5
    assert phi.derivative(y) == pytest.approx((phi(y + h) - phi(y - h)) / (2 * h), rel=1e-7)


def test_a_linear_neuron_from_the_negative_side_is_the_mirror():
    law, other, x = densities.width_one(linear(), 1.2, 0.6), densities.width_one(linear(), -1.2, 0.6), [0.3, 1.0, 3.0]
    assert other.cdf(-np.array(x)) == pytest.approx(1 - law.cdf(x))
    assert other.pdf(-np.array(x)) == pytest.approx(law.pdf(x)) and other.mean() == -law.mean()


def test_the_tail_of_the_test_of_feller_is_counted():
    """At b = 1 the scale beyond z is (1 + z) e^(1 - z), so the time is the integral of z^-3 + z^-2: 3/2."""
    assert stability.feller_test(1.0).time_at_infinity == pytest.approx(1.5, abs=1e-7)


def test_the_mean_of_the_log_norm_is_the_integral_of_its_rate():
    for width in (2, 5):
        start, speed = growth.active_probability(width), growth.drain(width)
        for t in (0.3, 4.0):
            rate = quad(lambda u, p=start, c=speed, n=width: (p - c * u**1.5) / 2 - 1 / n, 0, t)[0]
            assert growth.mean_log_norm(width, t) == pytest.approx(rate, rel=1e-9)


def test_a_late_variance_of_the_log_norm_grows_at_its_final_speed():
    first, second = growth.log_norm_variance([2000.0, 4000.0])
    assert (second - first) / 2000 == pytest.approx(1.5 + np.log(2) / 2, rel=1e-6)


def test_exact_and_asymptotic_lengths_meet():
    narrow, wide = (n * growth.drain(n) for n in (growth.MANY + 1, growth.MANY + 2))
    assert narrow == pytest.approx(wide, rel=2e-8)


def test_kinks_are_found_between_the_nodes_of_the_grid():
    assert derivatives.kinks(parse("abs(x - 0.1234567)")) == pytest.approx([0.1234567], abs=1e-12)


def test_lanes_of_double_precision_are_independent():
    drawn = gaussian.normals(5, 16, 4096, dtype=np.float64).reshape(16, 4, 1024)
    for i in range(4):
        for j in range(i):
            assert abs(np.corrcoef(drawn[:, i].ravel(), drawn[:, j].ravel())[0, 1]) < 5 / np.sqrt(16 * 1024)


def test_starts_and_fractional_weights_have_the_streams_that_bear_their_name(monkeypatch):
    start = gaussian_start([[1.0]], 20, 50, 3)[..., 0]
    assert np.array_equal(start, gaussian.normals(3, 50, 20, stream=gaussian.STARTS))
    used = []
    real = fractional.normals
    monkeypatch.setattr(fractional, "normals", lambda *given, **how: used.append(how["stream"]) or real(*given, **how))
    fractional.fractional_noise(0.3, 8, 1, 2, 1, threads=1)
    assert set(used) == {gaussian.FRACTIONAL_WEIGHTS}


def test_gradients_that_overflow_are_infinite():
    phi = plain("x + x**3")
    found = ShapedMLP(phi, 3, 12).gradients([[1e30]], 20, 1, at=[0, 12])
    assert not np.any(np.isnan(found.tangents)) and not np.any(np.isnan(found.norms))
    assert np.any(np.isinf(found.tangents))


def test_the_chain_of_one_layer_has_its_mean_to_the_second_order():
    """The step of the chain has the mean that the formula says: its logarithm is lowered by half its variance."""
    width, epsilon = 50, 0.3
    one = UnshapedChain(width, 1).sample(1 - epsilon, 400_000, 5)
    drift, noise = one_layer_moments(np.array(epsilon))
    mean = relu().epsilon_map(epsilon, width) - drift / width
    assert one.mean() == pytest.approx(mean, abs=5 * np.sqrt(noise / width / 400_000))
    assert one.var() == pytest.approx(noise / width, rel=0.02)


def test_the_mean_slopes_of_gelu_are_those_of_the_quadrature():
    K, phi = np.array([[0.8, 0.3], [0.3, 1.7]]), plain("gelu")
    closed = _expectations.gaussian_linear(1.0, 1.0, K)[1]
    assert closed == pytest.approx(_expectations.products(phi.derivative, np.zeros(2), K), rel=1e-9)


def test_a_second_input_drifts_by_its_own_curvature():
    """Beside another input or alone: the drift of the second is half phi'' times its own variance."""
    blocks, start = Blocks(linear(), plain("silu"), 1.0, 0.5), np.full((3, 2), [0.5, -1.5])
    both = ResidualSDE(blocks, 3).sample(start, 40_000, 1, steps=8)[:, :, 1].mean(axis=1)
    alone = ResidualSDE(blocks, 3).sample(start[:, 1:], 40_000, 2, steps=8)[:, :, 0].mean(axis=1)
    error = np.sqrt((both.var() + alone.var()) / 40_000)
    assert abs(both.mean() - alone.mean()) < 4.5 * error
    assert alone.mean() + 1.5 > 20 * error


def test_a_small_difference_is_carried_by_the_derivative_in_the_middle():
    """In single precision, for inputs that differ by a thousandth: the end would err by as much."""
    count, kind = programs.TILE, np.float32
    x, e = np.linspace(-1.4, 1.4, count), np.full(count, 1e-3)
    function = elementwise.function(plain("sin"), 1, kind)
    room = elementwise.Room(np.empty((2, count), kind), np.empty((2, count), kind), programs.scratch(kind))
    units, values = np.array([x, e], kind), np.empty((2, count), kind)
    elementwise.evaluate(function, values, units, 0, 0, count, room)
    elementwise.evaluate(function, values, units, 1, 0, count, room)
    exact = (np.sin(x + e) - np.sin(x)) / e
    assert np.abs(values[1] / 1e-3 - exact).max() < 1e-5


def test_the_drift_of_two_curved_inputs_is_solved_to_the_second_order():
    """A step without noise against the equation: its error falls with the third power of its length."""
    phi, start, times = smooth("softplus", a=0.8), np.array([[0.7, 0.3], [0.3, 0.4]]), (0.2, 0.1, 0.05)
    b, _, bend = phi.limit
    errors = []

    def moves(_, v):
        return phi.covariance_drift(v.reshape(2, 2)).ravel()

    for time in times:
        V, room = np.repeat(start[:, :, None], LANES, axis=2), np.empty((2, 2, LANES))
        curved._drift(V, room[0], room[1], np.full(LANES, np.inf), 0.0, b, bend / 4, time)
        exact = solve_ivp(moves, (0, time), start.ravel(), "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        errors.append(abs(V[1, 0, 0] - exact[1]))
        assert V[[0, 1], [0, 1], 0] == pytest.approx(exact[[0, 3]], rel=1e-10)
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([3, 3], abs=0.1)


@pytest.mark.parametrize("corrected", [False, True])
def test_the_flow_of_a_correlation_starts_with_its_drift(corrected):
    phi, rho, time = shaped_relu(0.5, -1), np.array([-1, -0.6, 0.2, 0.9]), 1e-5
    ratio = flow.ratio_flow((1 + rho) / (1 - rho), phi.gap2, time, corrected)
    speed = ((ratio - 1) / (ratio + 1) - rho) / time
    assert speed == pytest.approx(phi.drift(rho) + corrected * rho * (1 - rho**2) / 2, abs=2e-5)
